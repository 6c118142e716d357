"""Objects are found by the names that a person knows; what is unclear is an error."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from hevo_edge import errors
from hevo_edge._text import html
from hevo_edge.models import JobObjectData, ObjectData
from hevo_edge.objects import PipelineObjects


def row(
    object_id: str, table: str | None, schema: str | None = "public", **more: Any
) -> ObjectData:
    space = {"k0": table, "k1": schema, "k2": more.pop("database", "app")}
    return ObjectData.model_validate(
        {"object_id": object_id, "source_namespace": space, "status": "ACTIVE", **more}
    )


USERS, ORDERS = row("id-users", "users"), row("id-orders", "orders", "sales")
OBJECTS = PipelineObjects([USERS, ORDERS])


class TestNames:
    def test_are_those_of_hevos_page(self) -> None:
        """A column each for the object, its database and its schema."""
        assert (ORDERS.name, ORDERS.schema_name, ORDERS.database_name) == ("orders", "sales", "app")
        assert ORDERS.path == "app.sales.orders"
        assert "ObjectData(name='orders', object_id='id-orders'" in repr(ORDERS)

    @pytest.mark.parametrize(
        ("sent", "name", "path"),
        [
            ({"object_name": "Users"}, "Users", "Users"),
            ({"source_namespace": {"k0": "users"}}, "users", "users"),
            ({"source_namespace": {"k0": "users", "k1": "s"}}, "users", "s.users"),
            ({"source_namespace": {"k0": "users", "k2": "d"}}, "users", "d.users"),
            ({"destination_table_name": "t"}, "t", "t"),
            ({}, "1", "1"),
            ({"object_name": None, "source_namespace": None}, "1", "1"),
            ({"source_namespace": {}}, "1", "1"),
        ],
    )
    def test_of_what_is_known(self, sent: dict[str, Any], name: str, path: str) -> None:
        data = ObjectData.model_validate({"object_id": "1", **sent})
        assert (data.name, data.path) == (name, path)
        assert PipelineObjects([data]).find(name) is data

    @pytest.mark.parametrize(
        ("status", "is_active"),
        [("ACTIVE", True), ("active", True), ("INACTIVE", False), (None, False)],
    )
    def test_is_active(self, status: str | None, is_active: bool) -> None:
        assert ObjectData(object_id="1", status=status).is_active is is_active


class TestFind:
    @pytest.mark.parametrize(
        "wanted",
        [
            "orders",
            "sales.orders",
            "app.sales.orders",
            "id-orders",
            ORDERS,
            ObjectData(object_id="id-orders"),
            JobObjectData(object_name="orders"),
            JobObjectData(object_name="sales.orders", status="FAILED"),
            JobObjectData(object_id="id-orders"),
            JobObjectData(object_id="id-of-the-row", object_name="orders"),
        ],
    )
    def test_by(self, wanted: Any) -> None:
        assert OBJECTS.find(wanted) is ORDERS
        assert wanted in OBJECTS

    def test_an_id_is_no_name(self) -> None:
        """Even if another object is called so."""
        named = row("1", "id-orders")
        assert PipelineObjects([named, ORDERS]).find("id-orders") is ORDERS

    @pytest.mark.parametrize(
        "name",
        ['we"ird', "a.b", "a.b.c", "`quoted`", "it's", "two words", "ü", "a/b", "x" * 300, "."],
    )
    def test_a_name_is_taken_as_it_is_written(self, name: str) -> None:
        odd = row("odd", name)
        objects = PipelineObjects([USERS, odd])
        for wanted in (name, f"public.{name}", f"app.public.{name}"):
            assert objects.find(wanted) is odd

    def test_dots_in_names_may_make_two_of_one(self) -> None:
        objects = PipelineObjects([row("1", "b.c", "a"), row("2", "c", "a.b")])
        with pytest.raises(errors.ConfigurationError, match=r"several .* called a\.b\.c: .*1.*2"):
            objects.find("a.b.c")
        assert objects.find("b.c").object_id == "1"

    def test_one_name_in_two_schemas(self) -> None:
        objects = PipelineObjects([row("1", "users"), row("2", "users", "sales")])
        with pytest.raises(errors.ConfigurationError) as caught:
            objects.find("users")
        listed = "app.public.users (1), app.sales.users (2)"
        assert str(caught.value) == f"several objects are called users: {listed}"
        assert objects.find("sales.users").object_id == "2"
        assert "users" in objects

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("order", "there is no object order; did you mean app.sales.orders?"),
            ("ORDERS", "there is no object ORDERS; did you mean app.sales.orders?"),
            ("Sales.Orders", "did you mean app.sales.orders?"),
            ("public.orders", "did you mean app."),
            ("zzz", "there is no object zzz; there are app.public.users, app.sales.orders"),
            ("a\nb\x1b[31m", r"there is no object a\nb\x1b[31m"),
        ],
    )
    def test_an_unknown_name(self, name: str, words: str) -> None:
        with pytest.raises(errors.ConfigurationError) as caught:
            OBJECTS.find(name)
        assert words in str(caught.value)
        assert name not in OBJECTS

    def test_of_a_pipeline_without_objects(self) -> None:
        with pytest.raises(errors.ConfigurationError, match="users: the Pipeline has none"):
            PipelineObjects().find("users")

    @pytest.mark.parametrize("wrong", ["", "  ", None, 7, b"users", JobObjectData(), ["users"]])
    def test_what_names_nothing(self, wrong: Any) -> None:
        with pytest.raises(errors.ConfigurationError, match="an object is named by its name or id"):
            OBJECTS.find(wrong)
        assert wrong not in OBJECTS


class TestFindAll:
    def test_each_once_in_the_order_of_the_names(self) -> None:
        names = (name for name in ("orders", "users", "id-orders", "public.users"))
        assert OBJECTS.find_all(names) == [ORDERS, USERS]
        assert OBJECTS.find_all("orders") == OBJECTS.find_all(ORDERS) == [ORDERS]
        assert OBJECTS.find_all({"users": 1}) == [USERS]

    @pytest.mark.parametrize(
        "wrong", [[], (), None, 7, b"users", [None], ["users", ""], [["users"]]]
    )
    def test_what_names_nothing(self, wrong: Any) -> None:
        with pytest.raises(
            errors.ConfigurationError, match="must name at least|must be names|named by"
        ):
            OBJECTS.find_all(wrong)

    def test_all_that_is_wrong_is_said_at_once(self) -> None:
        with pytest.raises(errors.ConfigurationError) as caught:
            OBJECTS.find_all(["users", "one", "two"])
        assert "no object one" in str(caught.value)
        assert "no object two" in str(caught.value)

    def test_of_thousands_of_names_few_are_compared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A loop that stands still delays all that it serves."""
        many = PipelineObjects(row(f"id-{n}", f"table_{n:05}") for n in range(10_000))
        compared: list[int] = []
        closest = difflib.get_close_matches

        def counting(wanted: str, names: list[str], *limits: Any) -> list[str]:
            compared.append(len(names))
            return closest(wanted, names, *limits)

        monkeypatch.setattr(difflib, "get_close_matches", counting)
        assert len(many.find_all(f"public.table_{n:05}" for n in range(0, 10_000, 2))) == 5000
        assert not compared
        with pytest.raises(errors.ConfigurationError) as caught:
            many.find_all(f"tabel_{n:05}" for n in range(7_000, 10_000))
        assert str(caught.value).count("there is no object") == 5
        assert all(f"public.table_0700{n}" in str(caught.value) for n in range(5))
        assert len(compared) == 5
        assert max(compared) <= 200


class TestSequence:
    def test_it_is_one(self) -> None:
        assert list(OBJECTS) == [USERS, ORDERS]
        assert (len(OBJECTS), OBJECTS[1], OBJECTS[-2]) == (2, ORDERS, USERS)
        assert OBJECTS[1:] == PipelineObjects([ORDERS])
        assert PipelineObjects([ORDERS]) != OBJECTS
        assert hash(OBJECTS) == hash(PipelineObjects([USERS, ORDERS]))
        assert not PipelineObjects()

    def test_its_repr_is_bounded(self) -> None:
        assert repr(OBJECTS) == "PipelineObjects('users', 'orders')"
        many = PipelineObjects(row(str(n), f"t{n}") for n in range(1000))
        assert repr(many).endswith("'t9', … 990 more)")

    def test_a_notebook_shows_the_columns_of_hevos_page(self) -> None:
        odd = PipelineObjects([row("1", "<b>x</b>", status="<i>"), *OBJECTS])
        shown = odd._repr_mimebundle_()["text/html"]
        for column in ("Object", "Status", "Database", "Schema", "Load mode"):
            assert f">{column}</th>" in shown
        assert "&lt;b&gt;x&lt;/b&gt;" in shown
        assert "<b>" not in shown
        assert "<i>" not in shown
        many = PipelineObjects(row(str(n), f"t{n}") for n in range(html.MAX_ROWS + 5))
        assert "5 more" in many._repr_mimebundle_()["text/html"]
