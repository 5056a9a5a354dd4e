"""All settings of a run: declared once (schema), changed by mappings (merge), stored as YAML files (presets)."""

from core.settings.fields import SettingField, words_of
from core.settings.merge import flatten, from_dict, merge, stored_flat, to_dict, to_flat
from core.settings.presets import CONFIGS, SHIPPED_MODELS, config_path, load, preset_for, presets, read_yaml, save
from core.settings.schema import (
    FIELDS,
    BatchSettings,
    DataSettings,
    EnhanceSettings,
    JudgingSettings,
    LoraSettings,
    ModelSettings,
    QuestionSettings,
    Settings,
    TrainingSettings,
    ViewSettings,
)

__all__ = [
    "CONFIGS",
    "FIELDS",
    "SHIPPED_MODELS",
    "BatchSettings",
    "DataSettings",
    "EnhanceSettings",
    "JudgingSettings",
    "LoraSettings",
    "ModelSettings",
    "QuestionSettings",
    "SettingField",
    "Settings",
    "TrainingSettings",
    "ViewSettings",
    "config_path",
    "flatten",
    "from_dict",
    "load",
    "merge",
    "preset_for",
    "presets",
    "read_yaml",
    "save",
    "stored_flat",
    "to_dict",
    "to_flat",
    "words_of",
]
