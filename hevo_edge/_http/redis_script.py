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
local calls, hold, waiting, queue, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
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
local news, at = tonumber(ARGV[11]), 12
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
local held = call('HMGET', hold, 'until', 'share')
local until_, share = tonumber(held[1]), held[2]
if until_ and until_ > now + 3600000000 then until_ = nil end
if ARGV[6] ~= '' then
  if not (until_ and until_ > now and tonumber(share) < tonumber(ARGV[7])) then share = ARGV[7] end
  until_ = math.max(until_ or 0, now + ARGV[6])
  call('HSET', hold, 'until', string.format('%.0f', until_), 'share', share)
  call('PEXPIRE', hold, math.ceil((until_ - now + 10 * occupied) / 1000))
end

-- Who waits besides us, as urgently at least, goes first: for what it is short of its part, if we
-- have had ours; then for one slot, if it has had less, or as much and waits longer.
local mine, waiters, is_waiting = tonumber(ARGV[10]), 0, false
if at <= #ARGV then
  waiters = call('ZCARD', queue)
  is_waiting = waiters > 0 and call('ZSCORE', queue, me)
end
local function is_gone(ends)
  return not ends or ends <= now or ends > now + 3600000000
end
local function leave(id)
  call('ZREM', queue, id)
  call('HDEL', waiting, id)
  waiters = waiters - 1
end
local function before_us_of_all(at_most, rank)
  local place, held_by, others, count = {}, {}, {}, 1
  for i, id in ipairs(call('ZRANGE', queue, 0, -1)) do place[id] = i end
  for _, id in ipairs(call('ZRANGE', calls, 0, -1)) do
    local owner = string.match(id, '^(.*):%d:%x+$') or ''
    held_by[owner] = (held_by[owner] or 0) + 1
  end
  local all = call('HGETALL', waiting)
  for i = 1, #all, 2 do
    local id, ends, its_rank, wanted = all[i], string.match(all[i + 1], '^(%d+) (%d) (%d+)$')
    if id ~= me and (is_gone(tonumber(ends)) or not place[id]) then
      leave(id)
    elseif id ~= me and tonumber(its_rank) <= rank then
      count = count + 1
      others[count - 1] = {held_by[id] or 0, tonumber(wanted), place[id]}
    end
  end
  local part, slots, clients = math.floor(at_most / count), 0, 0
  if mine < part then return 0, 0 end
  for _, each in ipairs(others) do
    local has, short = each[1], math.min(each[2], part - each[1])
    local is_next = has < mine or has == mine and each[3] < (place[me] or waiters + 1)
    if short > 0 or is_next then
      slots, clients = slots + math.max(short, 1), clients + 1
    end
  end
  return slots, clients
end
local function before_us(at_most, rank, is_full)
  if waiters == 0 then return 0, 0 end
  while waiters > 0 do
    local first = call('ZRANGE', queue, 0, 0)[1]
    local ends = string.match(call('HGET', waiting, first) or '', '^%d+')
    if not is_gone(tonumber(ends)) then break end
    leave(first)
  end
  local others = waiters - (call('ZSCORE', queue, me) and 1 or 0)
  if others == 0 then return 0, 0 end
  local part = math.floor(at_most / (others + 1))
  if rank < 3 or part > 0 and not is_full then return before_us_of_all(at_most, rank) end
  -- More than there are slots, or there is none: without a look at each, by who waits longest.
  if mine < part then return 0, 0 end
  local place = call('ZRANK', queue, me) or waiters
  return place, place
end

local taken, granted, wait_for, ask_in = call('ZCARD', calls), {}, nil, 0
for i = at, #ARGV, 4 do
  local at_most, rank, wanted = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local is_free = not (until_ and until_ > now)
  if is_free and taken >= at_most then
    -- Later than any slot can be: the clock was set back.
    local latest = now + 2 * (occupied + lease)
    taken = taken - call('ZREMRANGEBYSCORE', calls, latest, '+inf')
  end
  local slots, clients = before_us(at_most, rank, taken >= at_most)
  if is_free and taken + slots < at_most then
    call('ZADD', calls, now + occupied + lease, ARGV[i])
    taken, mine, wanted = taken + 1, mine + 1, wanted - 1
    if is_waiting then call('ZADD', queue, 'XX', now, me) end
    granted[#granted + 1] = 1
  else
    granted[#granted + 1] = 0
  end
  -- Half of the time until it is our turn; not for long, as those before us may be gone.
  wait_for, ask_in = {rank, wanted}, math.min(clients * occupied / at_most / 2, 15000000)
end
if wait_for and wait_for[2] > 0 then
  local ends = string.format('%.0f', now + ARGV[9] + 2 * ask_in)
  call('HSET', waiting, me, table.concat({ends, wait_for[1], wait_for[2]}, ' '))
  waiters = waiters + call('ZADD', queue, 'NX', now, me)
  call('PEXPIRE', waiting, 3600000)
  call('PEXPIRE', queue, 3600000)
elseif wait_for and is_waiting then
  leave(me)
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
local held_for = until_ and until_ - now or false
return {1, now, taken, next_free, held_for, share, waiters, math.ceil(ask_in), seen, granted}
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
        own: How many slots of it are taken.
        patience: For how long the client counts as waiting when it is refused, and ``ask_in``
            twice.
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
    own: int = 0
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
            self.own,
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
        ask_in: How much later than else a client that is refused asks again: others go first.
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
    ask_in: float = 0.0
    members: int | None = None
    granted: tuple[bool, ...] = ()

    @classmethod
    def read(cls, reply: list[Any]) -> Answer:
        """Return what the script's reply says."""
        if not reply[0]:
            return cls(is_known=False, time=reply[1])
        _, time, taken, free_in, held_for, share, waiters, ask_in, members, granted = reply
        return cls(
            is_known=True,
            time=time,
            taken=taken,
            free_in=None if free_in < 0 else free_in / 1e6,
            held_for=None if held_for is None else held_for / 1e6,
            share=1.0 if share is None else float(share),
            waiters=waiters,
            ask_in=ask_in / 1e6,
            members=None if members < 0 else members,
            granted=tuple(map(bool, granted)),
        )


def micros(seconds: float) -> int:
    """Return seconds in microseconds."""
    return round(seconds * 1e6)
