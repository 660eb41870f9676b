"""gRPC's own counts for its connections (channelz, gRFC A14), read from the library in this process."""

from grpc_channelz.v1.channelz import ChannelzServicer  # type: ignore[attr-defined]
from grpc_channelz.v1.channelz_pb2 import Channel, GetSubchannelRequest, GetTopChannelsRequest


class ChannelCounts:
    """The counts of the most recently opened channel to `target`, HOST:PORT."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._channel = max((each.ref.channel_id for each in self._channels()), default=0)

    def calls_started(self) -> dict[int, int]:
        """Return how many calls were started on each open connection, by the connection's number."""
        found = {}
        for channel in self._channels():
            if channel.ref.channel_id == self._channel:
                for ref in channel.subchannel_ref:
                    wanted = GetSubchannelRequest(subchannel_id=ref.subchannel_id)
                    response = ChannelzServicer.GetSubchannel(wanted, _Nobody())
                    if response is not None:  # else it has just been closed
                        found[ref.subchannel_id] = int(response.subchannel.data.calls_started)
        return found

    def _channels(self) -> list[Channel]:
        """Return the process's channels to the target."""
        found: list[Channel] = []
        start = 0
        while True:
            page = ChannelzServicer.GetTopChannels(GetTopChannelsRequest(start_channel_id=start), _Nobody())
            if page is None or not page.channel:
                return found
            found += [each for each in page.channel if each.data.target.endswith(self._target)]
            start = page.channel[-1].ref.channel_id + 1
            if page.end:
                return found


class _Nobody:
    """A servicer context that ignores errors."""

    def set_code(self, code: object) -> None:
        """Ignore it."""

    def set_details(self, details: str) -> None:
        """Ignore it."""
