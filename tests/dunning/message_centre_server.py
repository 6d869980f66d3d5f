"""A short message centre of its own: told what to do on standard input, says on standard output what it was sent.

Run as a program; `tests.dunning.message_centre` starts it. One JSON object a line, both ways.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from typing import Any

from smpp.pdu import pdu_types
from smpp.pdu.operations import DeliverSM
from smpp.pdu.pdu_types import CommandStatus
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor, stdio
from twisted.internet.defer import fail, succeed
from twisted.protocols.basic import LineReceiver

USER = "desk"


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Door:
    """Lets in whoever knows the word."""

    def login(self, credentials: Any, mind: Any, *interfaces: Any) -> Any:
        if (credentials.username, credentials.password) != (USER, "secret"):
            return fail(UnauthorizedLogin())
        return succeed((interfaces[0], credentials.username, lambda: None))


class Centre:
    """Takes what is submitted, or answers what it was told to answer next."""

    def __init__(self) -> None:
        self.answers: deque[str] = deque()
        self.taken = 0
        self.receipts = ""
        systems = {USER: {"max_bindings": 20}}
        config = SMPPServerConfig(systems=systems, msgHandler=self.submitted, enquireLinkTimerSecs=60)
        self.factory = SMPPServerFactory(config, Door())

    def submitted(self, system_id: str, line: Any, pdu: Any) -> Any:
        answer = self.answers.popleft() if self.answers else "take"
        if answer == "cut":
            line.transport.abortConnection()
            return CommandStatus.ESME_RSYSERR
        if not answer.startswith("take"):
            return getattr(CommandStatus, answer)
        self.taken += 1
        given = pdu.params
        say(
            taken=self.taken,
            to=given["destination_addr"].decode(),
            source=given["source_addr"].decode(),
            content=given["short_message"].hex(),
            coding=str(given["data_coding"].schemeData),
            header=bool(given["esm_class"].gsmFeatures),
            reference=given.get("user_message_reference"),
            receipt=str(given["registered_delivery"].receipt),
        )
        if self.receipts and "NO_" not in str(given["registered_delivery"].receipt):
            self.bring(self.receipt_for(f"{self.taken:x}", self.receipts))
        if answer == "take, cut":
            line.transport.abortConnection()
        return DataHandlerResponse(status=CommandStatus.ESME_ROK, message_id=f"{self.taken:x}".encode())

    def receipt_for(self, message_id: str, state: str, **more: Any) -> Any:
        told = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2603101200 done date:2603101201 stat:{state} err:000 text:"
        )
        kind = pdu_types.EsmClass(pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT)
        return DeliverSM(
            source_addr="15550100", destination_addr="Northwind", esm_class=kind, short_message=told.encode()
        )

    def bring(self, pdu: Any) -> None:
        """To a receiver that is bound, again and again until it is acknowledged."""
        bound = self.factory.getBoundConnections(USER)
        line = bound.getNextBindingForDelivery() if bound else None
        if line is None:
            reactor.callLater(0.1, self.bring, pdu)
            return
        later = line.sendDataRequest(pdu)
        later.addCallbacks(lambda _: say(brought=True), lambda failed: self.refused(failed, pdu))

    def refused(self, failed: Any, pdu: Any) -> None:
        say(refused=str(failed.value)[:200])
        pdu.seqNum = None
        reactor.callLater(0.2, self.bring, pdu)

    def told(self, command: dict[str, Any]) -> None:
        if "answers" in command:
            self.answers.extend(command["answers"])
        elif "receipts" in command:
            self.receipts = command["receipts"]
        elif "receipt" in command:
            self.bring(self.receipt_for(command["receipt"], command["state"]))
        elif "text" in command:
            for part in command["text"]:
                coding = pdu_types.DataCoding(
                    pdu_types.DataCodingScheme.DEFAULT,
                    getattr(pdu_types.DataCodingDefault, part.get("coding", "SMSC_DEFAULT_ALPHABET")),
                )
                features = [pdu_types.EsmClassGsmFeatures.UDHI_INDICATOR_SET] if part.get("header") else []
                kind = pdu_types.EsmClass(pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.DEFAULT, features)
                self.bring(
                    DeliverSM(
                        source_addr=part["from"], source_addr_ton=pdu_types.AddrTon.INTERNATIONAL,
                        destination_addr="15550199", esm_class=kind, data_coding=coding,
                        short_message=bytes.fromhex(part["content"]),
                    )
                )  # fmt: skip
        elif "unbind" in command:
            self.factory.unbindGateway(USER)
        say(heard=True)


class Ear(LineReceiver):
    delimiter = b"\n"

    def __init__(self, centre: Centre) -> None:
        self.centre = centre

    def lineReceived(self, line: bytes) -> None:
        self.centre.told(json.loads(line))

    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()


def main() -> None:
    centre = Centre()
    port = reactor.listenTCP(0, centre.factory, interface="127.0.0.1")
    stdio.StandardIO(Ear(centre))
    say(port=port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
