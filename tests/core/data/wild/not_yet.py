"""Cases that are not understood yet: whoever mends one takes its name from here."""

NOT_YET = frozenset(
    {
        "heic_folder",
        "roboflow_classes_csv",
        "sharegpt",
        "table_four_corners",
        "table_nan_rows",
        "table_xlsx",
        "tax_bool",
        "tiny_background",
        "ultralytics_ndjson",
        "voc_subfolders",
        "yolo_dji_zoom_wide",
        "yolo_flight_folders",
        "yolo_frames_numbers",
        "yolo_kitti_labels",
    }
)
