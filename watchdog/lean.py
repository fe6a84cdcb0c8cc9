"""aiogram at a third of its memory.

aiogram builds a validator for each of its several hundred Telegram types when it is imported: 168 MB and
2.7 s, measured, where a watchdog uses a dozen of them. Pydantic can build a validator at its first use
instead (`defer_build`); aiogram only has to be kept from asking for all of them at once: 58 MB and 1.2 s.

`import_aiogram()` must run before anything imports aiogram. Where it is imported already, it does nothing.
"""

import importlib
import sys
from typing import Any, Optional, Union

from pydantic import BaseModel


def import_aiogram() -> None:
    """Import aiogram with validators that are built when they are first needed."""
    if "aiogram" in sys.modules:
        return
    rebuild = BaseModel.__dict__["model_rebuild"].__func__
    names: dict[str, Any] = {}

    def rebuild_with_names(cls: type[BaseModel], /, **options: Any) -> bool | None:
        if cls.__module__.startswith("aiogram."):
            if not names:
                return None  # asked for at import: its first use will ask again
            options["_types_namespace"] = names
        else:
            options["_parent_namespace_depth"] = options.get("_parent_namespace_depth", 2) + 1
        built: bool | None = rebuild(cls, **options)
        return built

    BaseModel.model_rebuild = classmethod(rebuild_with_names)  # type: ignore[assignment, method-assign]
    had_defer = "defer_build" in BaseModel.model_config
    BaseModel.model_config["defer_build"] = True
    try:
        importlib.import_module("aiogram")
        types = importlib.import_module("aiogram.types")
        default = importlib.import_module("aiogram.client.default").Default
        importlib.import_module("aiogram.methods")
    finally:
        if not had_defer:
            del BaseModel.model_config["defer_build"]
    # What aiogram itself hands to model_rebuild at the end of aiogram/types/__init__.py.
    names.update({name: getattr(types, name) for name in types.__all__})
    names.update({"List": list, "Optional": Optional, "Union": Union, "Default": default})
    names["Literal"] = importlib.import_module("typing").Literal
