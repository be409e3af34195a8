-- Books what requests came to, and keeps the leases of those that still run.
--
-- KEYS[1]  what all keys start with
-- ARGV[1]  msgpack: {process, number, lease_ms, {{what, key, ...}, ...}}
-- returns  how many processes have been heard of lately
--
-- A batch whose answer was lost comes again under its number, and is not booked twice.

local ask = cmsgpack.unpack(ARGV[1])
local process, number, lease_ms, entries = ask[1], ask[2], ask[3], ask[4]
local time = redis.call('TIME')
local now_s = tonumber(time[1])
local now_ms = now_s * 1000 + math.floor(tonumber(time[2]) / 1000)
local SPAN_S, A_DAY_S = 61, 86400
local doing = {}

-- {'tokens', key, second, more}: less than was reserved leaves its second, more counts from now on
function doing.tokens(key, second, more)
  if more > 0 then
    redis.call('HINCRBY', key, now_s, more)
    redis.call('EXPIRE', key, 2 * SPAN_S)
  elseif redis.call('HEXISTS', key, second) == 1 then
    redis.call('HINCRBY', key, second, more)
  end
end

-- {'slots', key, lease}
function doing.slots(key, lease)
  redis.call('ZREM', key, lease)
end

-- {'nano_usd', key, lease, reserved, spent, expires_at}
function doing.nano_usd(key, lease, reserved, spent, expires_at)
  if redis.call('ZREM', key .. ':leases', lease .. '|' .. string.format('%d', reserved)) == 1 then
    redis.call('HINCRBY', key, 'reserved', -reserved)
  end
  redis.call('HINCRBY', key, 'spent', spent)
  redis.call('EXPIREAT', key, expires_at)
end

-- {'keep_slots', key, lease}
function doing.keep_slots(key, lease)
  redis.call('ZADD', key, now_ms + lease_ms, lease)
  redis.call('PEXPIRE', key, 2 * lease_ms)
end

-- {'keep_nano_usd', key, lease, reserved, expires_at}: one that had expired is reserved anew
function doing.keep_nano_usd(key, lease, reserved, expires_at)
  if redis.call('ZADD', key .. ':leases', now_ms + lease_ms, lease .. '|' .. string.format('%d', reserved)) == 1 then
    redis.call('HINCRBY', key, 'reserved', reserved)
    redis.call('EXPIREAT', key, expires_at)
    redis.call('EXPIREAT', key .. ':leases', expires_at)
  end
end

local processes, last = KEYS[1] .. 'processes', KEYS[1] .. 'batch:' .. process
if tonumber(redis.call('GET', last) or 0) < number then
  for _, entry in ipairs(entries) do
    doing[entry[1]](KEYS[1] .. entry[2], entry[3], entry[4], entry[5], entry[6])
  end
  redis.call('SET', last, number, 'EX', A_DAY_S)
end
redis.call('ZREMRANGEBYSCORE', processes, '-inf', now_ms)
redis.call('ZADD', processes, now_ms + lease_ms, process)
return redis.call('ZCARD', processes)
