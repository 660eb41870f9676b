"""gRPC's own counts for its connections (channelz, gRFC A14), read from the library in this process."""

from grpc_channelz.v1.channelz import ChannelzServicer  # type: ignore[attr-defined]
from grpc_channelz.v1.channelz_pb2 import (
    Channel,
    GetChannelRequest,
    GetSubchannelRequest,
    GetTopChannelsRequest,
)


class ChannelCounts:
    """The counts of the most recently opened channel to `target`, HOST:PORT."""

    def __init__(self, target: str) -> None:
        self._channel = max((each.ref.channel_id for each in _channels(target)), default=0)

    def calls_started(self) -> dict[int, int]:
        """Return how many calls were started on each open connection, by the connection's number."""
        found: dict[int, int] = {}
        # this channel alone: a list of all takes long in a process that has many
        channel = ChannelzServicer.GetChannel(GetChannelRequest(channel_id=self._channel), _Nobody())
        if channel is None:  # it has been closed
            return found
        for ref in channel.channel.subchannel_ref:
            wanted = GetSubchannelRequest(subchannel_id=ref.subchannel_id)
            response = ChannelzServicer.GetSubchannel(wanted, _Nobody())
            if response is not None:  # else it has just been closed
                found[ref.subchannel_id] = int(response.subchannel.data.calls_started)
        return found


def _channels(target: str) -> list[Channel]:
    """Return the process's channels to `target`."""
    found: list[Channel] = []
    start = 0
    while True:
        page = ChannelzServicer.GetTopChannels(GetTopChannelsRequest(start_channel_id=start), _Nobody())
        if page is None or not page.channel:
            return found
        found += [each for each in page.channel if each.data.target.endswith(target)]
        start = page.channel[-1].ref.channel_id + 1
        if page.end:
            return found


class _Nobody:
    """A servicer context that ignores errors."""

    def set_code(self, code: object) -> None:
        """Ignore it."""

    def set_details(self, details: str) -> None:
        """Ignore it."""
