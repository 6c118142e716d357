"""The base of models whose repr is bounded and without secrets, and whose fields ``help`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from hevo_edge._text.field_docs import DocWithFields, field_docs
from hevo_edge._text.printable import printable

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import CoreSchema


if TYPE_CHECKING:
    _Model = BaseModel
else:

    class _ShowsFields(type(BaseModel)):
        """Does for models what ``show_fields`` does for other classes."""

        def __new__(mcs, name, bases, namespace, **kwargs):
            if doc := namespace.get("__doc__"):
                place = (namespace["__module__"], namespace["__qualname__"])
                namespace["__doc__"] = DocWithFields(doc, *place)
            return super().__new__(mcs, name, bases, namespace, **kwargs)

        # pydoc asks a metaclass for its classes' docstrings if it has one itself: pydantic's has.
        @property
        def __doc__(cls):
            doc = vars(cls).get("__doc__")
            return doc.__get__(None, cls) if isinstance(doc, DocWithFields) else doc

    class _Model(BaseModel, metaclass=_ShowsFields):
        pass


class PrintableModel(_Model):
    """A model that is shown like everything else; its data stays as it is."""

    def __repr__(self) -> str:
        return printable(super().__repr__())

    def __str__(self) -> str:
        return printable(super().__str__())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        # Made only when a JSON schema is asked for.
        schema = handler(core_schema)
        model, docs = handler.resolve_ref_schema(schema), field_docs(cls)
        doc = vars(cls).get("__doc__")
        if isinstance(doc, DocWithFields):
            model["description"] = doc.written
        for name, shown in model.get("properties", {}).items():
            if name in docs:
                shown.setdefault("description", docs[name])
        return schema
