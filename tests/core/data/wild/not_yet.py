"""Cases that are not understood yet: whoever mends one takes its name from here."""

NOT_YET = frozenset(
    {
        "table_nan_rows",
        "tax_bool",
        "tiny_background",
        "voc_subfolders",
        "yolo_dji_zoom_wide",
        "yolo_flight_folders",
        "yolo_frames_numbers",
    }
)
