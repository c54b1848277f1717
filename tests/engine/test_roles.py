"""Changes of the roles' settings never leave a function without a role."""

from pathlib import Path
from typing import Any

from local.engine.backend import RecordingBackend, State
from local.engine.provider import serving
from streaming_etl.stack.recorder import ACCOUNT_ID
from tests.engine.harness import ORDERS, Engine, config_of, deployed, edited

NAMES = ("forwarder", "transform", "delivery")
EXISTING = {name: f"arn:aws:iam::{ACCOUNT_ID}:role/etl-{name}" for name in NAMES}


class OrderedBackend(RecordingBackend):
    """Records the order of operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[str, str]] = []

    def create(self, type_: str, name: str, inputs: State) -> tuple[str, State]:
        self.operations.append(("create", name))
        return super().create(type_, name, inputs)

    def update(self, type_: str, name: str, id_: str, state: State, inputs: State) -> State:
        self.operations.append(("update", name))
        return super().update(type_, name, id_, state, inputs)

    def delete(self, type_: str, name: str, id_: str, state: State) -> None:
        self.operations.append(("delete", name))
        super().delete(type_, name, id_, state)


def settings(**iam: Any) -> dict[str, Any]:
    return {"orders": {**ORDERS, "iam": iam}}


def test_a_role_exists_before_it_is_used_and_until_nothing_uses_it(tmp_path: Path) -> None:
    backend = OrderedBackend()
    with serving(backend) as port:
        engine = Engine(tmp_path, port, backend)
        stack = deployed(engine, {"orders": ORDERS})
        for iam in ({"role_path": "/team/", "role_name_prefix": "acme-"}, {"role_path": "/etl/"}):
            backend.operations.clear()
            stack.configure(config_of(settings(**iam)))
            outcome = stack.up()
            assert outcome.succeeded, outcome.errors
            order = {step: at for at, step in enumerate(backend.operations)}
            for part, user in (
                ("forwarder", "forwarder-function"),
                ("transform", "transform-function"),
                ("delivery", "delivery-stream"),
            ):
                created = order["create", f"orders-{part}-role"]
                used = order["update", f"orders-{user}"]
                assert created < used < order["delete", f"orders-{part}-role"]
                assert used < order["delete", f"orders-{part}-policy"]
            for part in ("forwarder", "delivery"):
                user = "delivery-stream" if part == "delivery" else f"{part}-function"
                assert order["create", f"orders-{part}-policy"] < order["update", f"orders-{user}"]
            assert len(engine.of("Role")) == 3
            assert {role["path"] for role in engine.of("Role").values()} == {iam["role_path"]}
            assert not stack.preview().changed


def test_existing_roles_take_the_place_of_created_ones(tmp_path: Path) -> None:
    backend = OrderedBackend()
    with serving(backend) as port:
        engine = Engine(tmp_path, port, backend)
        stack = deployed(engine, {"orders": ORDERS})
        outcome = edited(stack, settings(role_arns=EXISTING))
        assert outcome.changed == {
            **{f"orders-{name}-role": "delete" for name in NAMES},
            **{f"orders-{name}-policy": "delete" for name in NAMES},
            "orders-delivery-stream": "update",
            "orders-forwarder-function": "update",
            "orders-transform-function": "update",
        }
        backend.operations.clear()
        assert stack.up().succeeded
        last_update = max(at for at, step in enumerate(backend.operations) if step[0] == "update")
        assert last_update < backend.operations.index(("delete", "orders-delivery-role"))
        assert not stack.preview().changed
