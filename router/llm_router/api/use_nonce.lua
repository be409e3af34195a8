-- KEYS: the nonces in use, by when they were signed; the forgotten seconds, as runs: the first one by the last; since
-- when all that is remembered. ARGV: the nonce, when it was signed, before and after when nonces may be forgotten, now,
-- how many runs and how many nonces there may be. Returns 1 for a new nonce, 0 for a used one, -1 where that is
-- forgotten, -2 where there is no room, and since when it is known. As MemoryReplayStore does it.
local nonces, forgotten, since = KEYS[1], KEYS[2], KEYS[3]
local nonce, created, oldest, newest, now = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local most_runs, most = tonumber(ARGV[6]), tonumber(ARGV[7])

local function run_ending_from(second)
  local run = redis.call('ZRANGEBYSCORE', forgotten, second, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return tonumber(run[1]), tonumber(run[2])
end

local function is_forgotten(second)
  local first = run_ending_from(second)
  return first ~= nil and first <= second
end

local function put(first, last)
  redis.call('ZADD', forgotten, last, string.format('%d', first))
end

local function forget(second)
  if is_forgotten(second) then return end
  local first, last = run_ending_from(second - 1)
  if first ~= nil and first <= second + 1 then
    redis.call('ZREM', forgotten, string.format('%d', first))
    put(math.min(first, second), math.max(last, second))
  else
    put(second, second)
  end
  if redis.call('ZCARD', forgotten) > most_runs then
    local two = redis.call('ZRANGE', forgotten, 0, 1, 'WITHSCORES')
    redis.call('ZREM', forgotten, two[3])
    put(tonumber(two[1]), tonumber(two[4]))
  end
end

local function forget_all(from, to)
  local from_here = from
  repeat
    local second = redis.call('ZRANGEBYSCORE', nonces, from_here, to, 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if second then
      forget(tonumber(second))
      from_here = '(' .. second
    end
  until not second
  if redis.call('ZCOUNT', nonces, from, to) == redis.call('ZCARD', nonces) then
    redis.call('UNLINK', nonces)  -- keeps nobody waiting, however many they are
  else
    redis.call('ZREMRANGEBYSCORE', nonces, from, to)
  end
end

redis.call('SET', since, now, 'NX')
if redis.call('ZCOUNT', nonces, created, created) == 0 then forget_all('-inf', '(' .. oldest) end

local known = redis.call('GET', since)
if redis.call('ZSCORE', nonces, nonce) then return {0, known} end
if is_forgotten(created) then return {-1, known} end
-- Some may be left from when clocks were ahead.
if redis.call('ZCARD', nonces) >= most then forget_all('(' .. newest, '+inf') end
if redis.call('ZCARD', nonces) >= most then return {-2, known} end
redis.call('ZADD', nonces, created, nonce)
return {1, known}
