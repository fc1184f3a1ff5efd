# SPDX-License-Identifier: Apache-2.0
"""The exception tree: the class of an error says whose fault it is.

MpcError
├── ConfigError         ours, found before anything is sent if it can be: a file, an argument
│   └── DataError       ours: the rows or values of an input
├── ChannelError        the link to a peer ended: its ``peer`` attribute names it
│   ├── PeerClosed      it closed, or its process died
│   ├── PeerTimeout     it was silent past the deadline
│   ├── PeerUnreachable nothing answered at its address, or it never dialled
│   ├── PeerUntrusted   its certificate or its name is not the one expected
│   └── PeerAborted     it stopped the job and said why (a reason class, never data)
├── ProtocolError       the peer's message is wrong
│   ├── MessageTooLarge it announced more bytes than the limit
│   ├── VersionMismatch it speaks another protocol version
│   └── ParameterMismatch  it holds other public parameters for this job
├── CryptoError         keys, ciphertexts and encodings
│   ├── KeyMismatch     a ciphertext or share under another key
│   ├── EncodingOverflow a value does not fit its encoding
│   ├── StaleCiphertext a ciphertext not freshly randomised was about to be sent
│   ├── InvalidKey      a key that fails its checks
│   └── WrongPassphrase a key file that does not open
└── PolicyError         the operator of this party does not allow it
    └── Withheld        a figure is of fewer rows than the parties agreed on
"""

from __future__ import annotations


class MpcError(Exception):
    """The root of every error this library raises on purpose."""


class ConfigError(MpcError):
    """Our own configuration, argument or file is wrong; found before anything is sent where it can
    be, which a disk that is full when a result is written cannot."""


class DataError(ConfigError):
    """Our own rows or values are wrong; the message counts them and shows the first."""


class ChannelError(MpcError):
    """The link to ``peer`` is of no more use."""

    def __init__(self, peer: str, message: str) -> None:
        super().__init__(f"{peer}: {message}")
        self.peer = peer


class PeerClosed(ChannelError):
    """The peer closed the link, or its process ended."""


class PeerTimeout(ChannelError):
    """The peer said nothing (or took nothing) until the deadline."""


class PeerUnreachable(ChannelError):
    """The peer did not answer at its address, or did not dial us, in time."""


class PeerUntrusted(ChannelError):
    """The peer's certificate is not trusted, or does not carry the name it should."""


class PeerAborted(ChannelError):
    """The peer stopped the job. ``reason`` is the class name of its error, never its data."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(peer, f"aborted the job ({reason})")
        self.reason = reason


class ProtocolError(MpcError):
    """A message of ``peer`` is malformed, out of order or inconsistent."""

    def __init__(self, peer: str, message: str) -> None:
        super().__init__(f"{peer}: {message}")
        self.peer = peer


class MessageTooLarge(ProtocolError):
    """The peer announced a message above the limit; its bytes were not accepted."""


class VersionMismatch(ProtocolError):
    """The peer speaks another version of the wire protocol."""


class ParameterMismatch(ProtocolError):
    """The peer holds other public parameters; the message shows both values of the first."""

    def __init__(self, peer: str, field: str, ours: str, theirs: str) -> None:
        super().__init__(peer, f"parameter {field!r} differs: ours is {ours}, theirs is {theirs}")
        self.field = field
        self.ours = ours
        self.theirs = theirs


class CryptoError(MpcError):
    """A key, a ciphertext, a share or an encoding is not usable as asked."""


class KeyMismatch(CryptoError):
    """Operands belong to different keys."""


class EncodingOverflow(CryptoError):
    """A value, or a result it could lead to, does not fit its encoding."""


class StaleCiphertext(CryptoError):
    """A ciphertext that was computed on must be rerandomised before it is sent."""


class InvalidKey(CryptoError):
    """A key fails a check on its form."""


class WrongPassphrase(CryptoError):
    """A key file does not open with this passphrase."""


class PolicyError(MpcError):
    """This party's operator does not allow what was asked."""


class Withheld(PolicyError):
    """The figure is of a smaller group than may be told; nothing else became known of it."""
