"""The owner's settings and where things lie on this machine. It reads files it is given, never the environment."""

from backupkit.config.failures import ConfigProblem, ConfigUnreadable
from backupkit.config.folders import Folders, standard_folders
from backupkit.config.reading import Layer, load_config, read_layer, settle
from backupkit.config.settings import Settings, SourceSettings

__all__ = [
    "ConfigProblem",
    "ConfigUnreadable",
    "Folders",
    "Layer",
    "Settings",
    "SourceSettings",
    "load_config",
    "read_layer",
    "settle",
    "standard_folders",
]
