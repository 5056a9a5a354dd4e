"""Tables as they come from spreadsheets, label tools and other people's scripts."""

from __future__ import annotations

from pathlib import Path

from tests.core.data.wild.kit import BOX, CLASSES, Reads, Refused, case, photos, rows, text

PLAIN = "image,class,x1,y1,x2,y2"
FIRST = CLASSES[0]
ROW = "{0},{1},100,80,140,140"


@case("attributes", Reads("table", "toe drain blocked", BOX, 10, told=["status"]))
def table_label_status(root: Path) -> None:
    names = photos(root, 10)
    lines = [f"{name},toe drain,{('blocked', 'damaged')[place % 2]},100,80,140,140" for place, name in enumerate(names)]
    text(root / "labels.csv", "\n".join(["filename,label,status,xmin,ymin,xmax,ymax", *lines]))


@case("attributes", Refused(["label", "category", "toe drain normal", "toe drain blocked"]))
def table_two_label_columns(root: Path) -> None:
    row = "{0},toe drain normal,toe drain blocked,100,80,140,140"
    text(root / "labels.csv", rows("image,label,category,x1,y1,x2,y2", photos(root, 6), row))


@case("attributes", Reads("table", FIRST, BOX, 6, told=["label"]))
def table_two_class_columns(root: Path) -> None:
    text(root / "labels.csv", rows("image,class,label,x1,y1,x2,y2", photos(root, 6), "{0},{1},{2},100,80,140,140"))


@case("attributes", Reads("table", FIRST, BOX, 6))
def table_pandas_index(root: Path) -> None:
    row = "{2},{0},{1},100.0,80.0,140.0,140.0,"
    written = rows(",image,class,x1,y1,x2,y2,Unnamed: 6", photos(root, 6), row)
    text(root / "labels.csv", written + "6,,,,,,\n")


@case("units", Reads("table", FIRST, (32, 48, 192, 192), 8, told=["fraction"]))
def table_fractions(root: Path) -> None:
    text(
        root / "labels.csv", rows("filename,label,xmin,ymin,xmax,ymax", photos(root, 8), "{0},{1},0.10,0.20,0.60,0.80")
    )


@case("units", Reads("table", FIRST, (80, 60, 200, 150), 8, told=["four corners"]))
def table_four_corners(root: Path) -> None:
    row = "{0},{1},100,60,200,100,180,150,80,110"
    text(root / "labels.csv", rows("image,class,x1,y1,x2,y2,x3,y3,x4,y4", photos(root, 8), row))


@case("units", Refused(["decimal point"]))
def table_semicolon_comma(root: Path) -> None:
    text(root / "labels.csv", rows("image;class;x1;y1;x2;y2", photos(root, 6), "{0};{1};100,5;80,25;140;140"))


@case("units", Reads("table", FIRST, BOX, 6))
def table_xywh(root: Path) -> None:
    text(root / "labels.csv", rows("image,class,x,y,width,height", photos(root, 6), "{0},{1},100,80,40,60"))


@case("other size", Reads("table", FIRST, (100, 80, 140, 115), 6, told=["640 x 480"]))
def table_tf_resized_int(root: Path) -> None:
    row = "{0},640,480,{1},200,160,280,230"
    text(root / "labels.csv", rows("filename,width,height,class,xmin,ymin,xmax,ymax", photos(root, 6), row))


@case("names", Reads("table", FIRST, (100.123, 80.5, 140.25, 140.75), 6, told=["6 names"]))
def table_vott(root: Path) -> None:
    names = photos(root, 6, "Dam site {:d}.jpg")
    lines = [
        f'"{name.replace(" ", "%20")}",100.123,80.5,140.25,140.75,"{CLASSES[place % 5]}"'
        for place, name in enumerate(names)
    ]
    text(
        root / "vott-csv-export" / "Dam-export.csv", "\n".join(['"image","xmin","ymin","xmax","ymax","label"', *lines])
    )


@case("names", Reads("table", FIRST, BOX, 6))
def table_quotes_spaces(root: Path) -> None:
    row = '"{0}", "{1}", 100, 80, 140, 140'
    text(root / "labels.csv", rows("image, class, x1, y1, x2, y2", photos(root, 6, "Dam, site {:d}.jpg"), row))


@case("splits", Refused(["dev", "is no split"]))
def table_split_val_both(root: Path) -> None:
    names = photos(root, 8)
    written = rows("image,class,x1,y1,x2,y2,split", names[:5], ROW + ",Train")
    text(root / "labels.csv", written + rows("", names[5:], ROW + ",dev"))


@case("splits", Reads("table", FIRST, BOX, 4))
def tiny_background(root: Path) -> None:
    names = photos(root, 6)
    text(root / "labels.csv", rows(PLAIN, names[:4], ROW) + rows("", names[4:], "{0},,,,,"))


@case("splits", Reads("table", FIRST, BOX, 8))
def many_background(root: Path) -> None:
    names = photos(root, 60)
    text(root / "labels.csv", rows(PLAIN, names[:8], ROW) + rows("", names[8:], "{0},,,,,"))


@case("table text", Reads("table", FIRST, BOX, 6, told=["header"]))
def table_no_header(root: Path) -> None:
    text(root / "annotations.csv", rows("", photos(root, 6), "/data/imgs/{0},100,80,140,140,{1}"))
    text(root / "classes.csv", "".join(f"{name},{place}\n" for place, name in enumerate(CLASSES)))


@case("table text", Reads("table", FIRST, BOX, 6, told=["header"]))
def table_makesense_no_header(root: Path) -> None:
    text(root / "labels_my-project.csv", rows("", photos(root, 6), "{1},100,80,40,60,{0},320,240"))


@case("table text", Reads("table", FIRST, (32, 48, 192, 192), 6, told=["fraction"]))
def table_open_images(root: Path) -> None:
    stems = [name[:-4] for name in photos(root, 6)]
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded"
    text(root / "train-annotations-bbox.csv", rows(header, stems, "{0},x,{1},1,0.1,0.6,0.2,0.8,0"))


@case("table text", Reads("table", FIRST, BOX, 6))
def table_sep_line(root: Path) -> None:
    text(root / "labels.csv", "sep=;\r\n" + rows("image;class;x1;y1;x2;y2", photos(root, 6), ROW.replace(",", ";")))


@case("table text", Reads("table", FIRST, BOX, 4))
def table_nan_rows(root: Path) -> None:
    names = photos(root, 6)
    text(root / "labels.csv", rows(PLAIN, names[:4], ROW) + f"{names[4]},nan,nan,nan,nan,nan\n{names[5]},,,,,\n")


@case("table text", Refused(["Excel", "CSV"]))
def table_xlsx(root: Path) -> None:
    photos(root, 4)
    (root / "labels.xlsx").write_bytes(b"PK\x03\x04" + bytes(500))


@case("table text", Reads("table", FIRST, BOX, 6))
def table_semicolon_ok(root: Path) -> None:
    written = rows("image;class;x1;y1;x2;y2", photos(root, 6), ROW.replace(",", ";"))
    text(root / "labels.csv", "\ufeff" + written.replace("\n", "\r\n"))


@case("table text", Refused(["UTF-16", "UTF-8"]))
def table_utf16(root: Path) -> None:
    written = rows("image\tclass\tx1\ty1\tx2\ty2", photos(root, 6), ROW.replace(",", "\t"))
    text(root / "labels.csv", written, "utf-16")


@case("table text", Refused(["labels.csv line 2", "not UTF-8"]))
def table_latin1(root: Path) -> None:
    text(root / "labels.csv", rows(PLAIN, photos(root, 4, "Böschung_{}.jpg"), ROW), "cp1252")


@case("table text", Refused(["labels.csv line 2", "6 values expected, 7 found"]))
def table_trailing_comma(root: Path) -> None:
    text(root / "labels.csv", rows(PLAIN, photos(root, 6), ROW + ","))
