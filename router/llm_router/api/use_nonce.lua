-- KEYS: the nonces in use, by when they were signed; the forgotten seconds, as runs: the first one by the last; since
-- when all that is remembered. ARGV: the nonce, when it was signed, before when nonces are forgotten, now, how many runs
-- there may be. Returns 1 for a new nonce, 0 for a used one, -1 where that is forgotten, and since when it is known.
-- As MemoryReplayStore does it, without a bound on how many: Redis has its own.
local nonces, forgotten, since = KEYS[1], KEYS[2], KEYS[3]
local nonce, created, oldest, now, most = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])

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
  if redis.call('ZCARD', forgotten) > most then
    local two = redis.call('ZRANGE', forgotten, 0, 1, 'WITHSCORES')
    redis.call('ZREM', forgotten, two[3])
    put(tonumber(two[1]), tonumber(two[4]))
  end
end

redis.call('SET', since, now, 'NX')
if redis.call('ZCOUNT', nonces, created, created) == 0 then
  -- A thousand at a time: what is forgotten later is remembered longer.
  local old = redis.call('ZRANGEBYSCORE', nonces, '-inf', '(' .. oldest, 'WITHSCORES', 'LIMIT', 0, 1000)
  for at = 1, #old, 2 do
    forget(tonumber(old[at + 1]))
    redis.call('ZREM', nonces, old[at])
  end
end

local known = redis.call('GET', since)
if redis.call('ZSCORE', nonces, nonce) then return {0, known} end
if is_forgotten(created) then return {-1, known} end
redis.call('ZADD', nonces, created, nonce)
return {1, known}
