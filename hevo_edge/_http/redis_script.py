"""What Redis is asked to do: one script, so that nothing comes between what it reads and writes.

Times are microseconds of Redis's own clock. A slot is a member of a sorted set, and its score is
the moment in which it comes free: one period after the reply; while the call is under way, one
period after its lease. What is older is removed by whoever comes next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

NOT_SENT, IN_FLIGHT = "x", "f"
"""What a client tells of a call in place of its age: it was not sent; its lease is renewed."""

SCRIPT = """
local call = redis.call
local calls, hold, waiting, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local me, occupied, lease = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
call('ZREMRANGEBYSCORE', calls, '-inf', now)
if ARGV[5] ~= '' and not call('ZSCORE', calls, ARGV[5]) then
  return {0, now}
end

-- Calls that are over, were never sent, or go on; or all of ours, so that any other of ours is not.
local news, at = tonumber(ARGV[10]), 11
if string.find(ARGV[8], 'w') then
  local told = {}
  for i = at, at + 2 * news - 1, 2 do told[ARGV[i]] = true end
  for _, id in ipairs(call('ZRANGE', calls, 0, -1)) do
    if string.sub(id, 1, #me + 1) == me .. ':' and not told[id] then
      call('ZREM', calls, id)
    end
  end
end
for i = at, at + 2 * news - 1, 2 do
  local ends = now + occupied
  if ARGV[i + 1] == 'f' then ends = ends + lease
  elseif ARGV[i + 1] == 'x' then ends = 0
  else ends = ends - ARGV[i + 1] end
  if ends > now then call('ZADD', calls, ends, ARGV[i])
  else call('ZREM', calls, ARGV[i]) end
end
at = at + 2 * news

-- A pause of all, and what of the limit is left for what can wait. Never shortened.
local held = call('HMGET', hold, 'until', 'share', 'waiting')
local until_, share = tonumber(held[1]), held[2]
if until_ and until_ > now + 3600000000 then until_ = nil end
if ARGV[6] ~= '' then
  if not (until_ and until_ > now and tonumber(share) < tonumber(ARGV[7])) then share = ARGV[7] end
  until_ = math.max(until_ or 0, now + ARGV[6])
  call('HSET', hold, 'until', string.format('%.0f', until_), 'share', share)
  call('PEXPIRE', hold, math.ceil((until_ - now + 10 * occupied) / 1000))
end

-- Who waits besides us, as urgently at least, and has had less, is left what it is short of.
local someone_waits = held[3] and tonumber(held[3]) > now
local waiters, held_by, others = 0, nil, nil
local function look(waiting)
  held_by, others = {}, {}
  for _, id in ipairs(call('ZRANGE', calls, 0, -1)) do
    local owner = string.match(id, '^(.*):%d:%x+$') or ''
    held_by[owner] = (held_by[owner] or 0) + 1
  end
  local all = call('HGETALL', waiting)
  for i = 1, #all, 2 do
    local ends, rank, wanted = string.match(all[i + 1], '^(%d+) (%d) (%d+)$')
    ends = tonumber(ends)
    if ends <= now or ends > now + 3600000000 then
      call('HDEL', waiting, all[i])
    elseif all[i] ~= me then
      others[#others + 1] = {held_by[all[i]] or 0, tonumber(rank), tonumber(wanted)}
    end
  end
end
local function left_to_others(at_most, rank)
  if not others then look(waiting) end
  local count, kept = 1, 0
  for _, each in ipairs(others) do
    if each[2] <= rank then count = count + 1 end
  end
  local fair = math.floor(at_most / count)
  if (held_by[me] or 0) < fair then return 0 end
  for _, each in ipairs(others) do
    if each[2] <= rank then kept = kept + math.max(0, math.min(each[3], fair - each[1])) end
  end
  return kept
end

local taken, granted, wait_for = call('ZCARD', calls), {}, nil
for i = at, #ARGV, 4 do
  local at_most, rank = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local is_free = not (until_ and until_ > now)
  if is_free and taken >= at_most then
    -- Later than any slot can be: the clock was set back.
    local latest = now + 2 * (occupied + lease)
    taken = taken - call('ZREMRANGEBYSCORE', calls, latest, '+inf')
  end
  is_free = is_free and taken < at_most
  if is_free and someone_waits then is_free = taken + left_to_others(at_most, rank) < at_most end
  if is_free then
    call('ZADD', calls, now + occupied + lease, ARGV[i])
    taken = taken + 1
    if held_by then held_by[me] = (held_by[me] or 0) + 1 end
    granted[#granted + 1] = 1
    wait_for = {rank, ARGV[i + 3] - 1}
  else
    granted[#granted + 1] = 0
    wait_for = {rank, tonumber(ARGV[i + 3])}
  end
end
if wait_for and wait_for[2] > 0 then
  local ends = string.format('%.0f', now + ARGV[9])
  call('HSET', waiting, me, ends .. ' ' .. wait_for[1] .. ' ' .. wait_for[2])
  call('PEXPIRE', waiting, 3600000)
  waiters = call('HLEN', waiting)
  if tonumber(ends) > tonumber(held[3] or 0) then call('HSET', hold, 'waiting', ends) end
  if call('PTTL', hold) < 60000 then call('PEXPIRE', hold, 3600000) end
elseif wait_for and someone_waits then
  call('HDEL', waiting, me)
end
local next_free = -1
if #granted == 0 or 2 * taken >= tonumber(ARGV[at + 1]) then
  local first = call('ZRANGE', calls, 0, 0, 'WITHSCORES')
  if first[2] and first[2] - now <= occupied then next_free = first[2] - now end
end

-- Now and then, and with all calls of ours: say that we live, and let nothing stay here for ever.
local seen = -1
if string.find(ARGV[8], 'm') then
  call('ZADD', members, now, me)
  call('ZREMRANGEBYSCORE', members, '-inf', now - 300000000)
  call('ZREMRANGEBYSCORE', members, now + 300000000, '+inf')
  call('PEXPIRE', members, 300000)
  seen = call('ZCARD', members)
  call('PEXPIRE', calls, math.ceil(2 * (occupied + lease) / 1000) + 60000)
end
return {1, now, taken, next_free, until_ and until_ - now or false, share, waiters, seen, granted}
"""


class Take(NamedTuple):
    """One slot that is asked for.

    Args:
        slot_id: What it is to be called.
        at_most: How many slots may be taken then.
        rank: The urgency; the lowest is the most urgent.
        wanted: How many slots this client could use now.
    """

    slot_id: str
    at_most: int
    rank: int
    wanted: int


@dataclass
class Ask:
    """What a client tells and asks in one round trip. Durations are in seconds.

    Args:
        me: The client.
        occupied: For how long a slot stays taken once its call is over.
        lease: For how long a call counts as under way without a word of it.
        patience: For how long the client counts as waiting when it is refused.
        time: Redis's time in microseconds, where the script may not ask for it.
        witness: A slot of this client that must be there; if it is not, nothing is done.
        hold: For how long from now everybody pauses, and the share of the limit after that.
        is_whole: The ``news`` are all calls of this client.
        asks_members: Note that this client lives, and count those who do.
        news: The calls of which there is something to tell: ``NOT_SENT``, ``IN_FLIGHT``, or how
            many microseconds ago their replies came.
        takes: The slots that are asked for.
    """

    me: str
    occupied: float
    lease: float
    patience: float
    time: int | None = None
    witness: str = ""
    hold: tuple[float, float] | None = None
    is_whole: bool = False
    asks_members: bool = False
    news: dict[str, str] = field(default_factory=dict)
    takes: list[Take] = field(default_factory=list)

    def arguments(self) -> list[str | int]:
        """Return the script's arguments."""
        arguments: list[str | int] = [
            "" if self.time is None else self.time,
            self.me,
            micros(self.occupied),
            micros(self.lease),
            self.witness,
            "" if self.hold is None else micros(self.hold[0]),
            "" if self.hold is None else f"{self.hold[1]:.6f}",
            "w" * self.is_whole + "m" * self.asks_members,
            micros(self.patience),
            len(self.news),
        ]
        for told in self.news.items():
            arguments += told
        for take in self.takes:
            arguments += (take.slot_id, take.at_most, take.rank, take.wanted)
        return arguments


class Answer(NamedTuple):
    """What Redis says. Durations are in seconds.

    Args:
        is_known: False: the ``witness`` was not there, and nothing was done.
        time: Redis's time in microseconds.
        taken: The slots that are taken.
        free_in: When the first of them comes free; None if no time is known.
        held_for: How long everybody pauses still; negative: since when no more; None: never.
        share: The part of the limit for what can wait, as of then.
        waiters: How many clients wait.
        members: How many clients there are; None if that was not asked.
        granted: Which of the slots that were asked for are taken now.
    """

    is_known: bool
    time: int
    taken: int = 0
    free_in: float | None = None
    held_for: float | None = None
    share: float = 1.0
    waiters: int = 0
    members: int | None = None
    granted: tuple[bool, ...] = ()

    @classmethod
    def read(cls, reply: list[Any]) -> Answer:
        """Return what the script's reply says."""
        if not reply[0]:
            return cls(is_known=False, time=reply[1])
        _, time, taken, free_in, held_for, share, waiters, members, granted = reply
        return cls(
            is_known=True,
            time=time,
            taken=taken,
            free_in=None if free_in < 0 else free_in / 1e6,
            held_for=None if held_for is None else held_for / 1e6,
            share=1.0 if share is None else float(share),
            waiters=waiters,
            members=None if members < 0 else members,
            granted=tuple(map(bool, granted)),
        )


def micros(seconds: float) -> int:
    """Return seconds in microseconds."""
    return round(seconds * 1e6)
