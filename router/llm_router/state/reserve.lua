-- Takes all claims of a request or none of them, for as many requests as ask at once, by the server's own clock.
--
-- KEYS[1]  what all keys start with; in braces, so that a cluster keeps them in one slot
-- ARGV[1]  msgpack: {lease_ms, {{lease, {{unit, key, ceiling, amount, hard, known_spent, expires_at}, ...}}, ...}}
-- returns  for each request {refused (0 none), second, then for each claim: used, wait_ms (-1 for ever), reset_ms,
--          spent}
--
-- requests, tokens  hash: second -> amount, a sliding window of whole seconds
-- slots             sorted set: lease -> when it expires
-- nano_usd          hash: spent, reserved; and a sorted set "lease|amount" -> when it expires

local ask = cmsgpack.unpack(ARGV[1])
local lease_ms, requests = ask[1], ask[2]
local time = redis.call('TIME')
local now_s = tonumber(time[1])
local now_ms = now_s * 1000 + math.floor(tonumber(time[2]) / 1000)
local WINDOW_S, SPAN_S, UNDER_WAY_MS = 60, 61, 1000

local function until_second(second)
  return (second + SPAN_S) * 1000 - now_ms
end

-- How long until so much has left the window; -1 for ever, where there is less in it.
local function until_gone(seconds, excess)
  if excess <= 0 then return 0 end
  for _, entry in ipairs(seconds) do
    excess = excess - entry[2]
    if excess <= 0 then return until_second(entry[1]) end
  end
  return -1
end

-- Each of the three returns: used, how long this amount has to wait, how long one more after it, the time until all is
-- free, what is spent.

-- A second too far away in either direction is from before the clock was set.
local function window(key, ceiling, amount)
  local used, newest, seconds, stored = 0, nil, {}, redis.call('HGETALL', key)
  for i = 1, #stored, 2 do
    local second, count = tonumber(stored[i]), tonumber(stored[i + 1])
    if second < now_s - WINDOW_S or second > now_s + WINDOW_S then
      redis.call('HDEL', key, stored[i])
    else
      used = used + count
      seconds[#seconds + 1] = {second, count}
      if count > 0 and (not newest or second > newest) then newest = second end
    end
  end
  local excess, wait_ms, next_ms = used + amount - ceiling, 0, 0
  if excess >= 0 then
    table.sort(seconds, function(a, b) return a[1] < b[1] end)
    wait_ms = until_gone(seconds, excess)
    seconds[#seconds + 1] = {now_s, amount}
    next_ms = until_gone(seconds, excess + 1)
  end
  return used, wait_ms, next_ms, newest and until_second(newest) or 0, 0
end

local function slots(key, ceiling, amount)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now_ms)
  local used = redis.call('ZCARD', key)
  local free = ceiling - used - amount
  return used, free < 0 and UNDER_WAY_MS or 0, free < 1 and UNDER_WAY_MS or 0, -1, 0
end

local function budget(key, ceiling, amount, known)
  local gone = redis.call('ZRANGEBYSCORE', key .. ':leases', '-inf', now_ms)
  for _, member in ipairs(gone) do
    redis.call('HINCRBY', key, 'reserved', -tonumber(string.match(member, '|(%d+)$')))
    redis.call('ZREM', key .. ':leases', member)
  end
  local stored = redis.call('HMGET', key, 'spent', 'reserved')
  local spent, reserved = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
  if spent < known then -- the server has forgotten what this router has seen: it was started anew
    spent = known
    redis.call('HSET', key, 'spent', spent)
  end
  local function wait_ms(wanted)
    if spent + reserved + wanted <= ceiling then return 0 end
    return spent + wanted > ceiling and -1 or UNDER_WAY_MS
  end
  return spent + reserved, wait_ms(amount), wait_ms(amount + 1), -1, spent
end

local kinds = {requests = window, tokens = window, slots = slots, nano_usd = budget}

local function look(claims)
  local answer, after, refused = {0, now_s}, {}, 0
  for i, claim in ipairs(claims) do
    local unit, key, amount, hard = claim[1], KEYS[1] .. claim[2], claim[4], claim[5]
    local used, wait_ms, next_ms, reset_ms, spent = kinds[unit](key, claim[3], math.max(amount, 1), claim[6])
    if not hard then wait_ms, next_ms = 0, 0 end
    if wait_ms ~= 0 and refused == 0 then refused = i end
    local at = 4 * i - 1
    answer[at], answer[at + 1], answer[at + 2], answer[at + 3] = used, wait_ms, reset_ms, spent
    after[i] = next_ms
  end
  answer[1] = refused
  return answer, after
end

local function take(lease, claims, answer, after)
  for i, claim in ipairs(claims) do
    local unit, key, amount, at = claim[1], KEYS[1] .. claim[2], claim[4], 4 * i - 1
    if amount > 0 then
      answer[at], answer[at + 1] = answer[at] + amount, after[i]
      if unit == 'slots' then
        redis.call('ZADD', key, now_ms + lease_ms, lease)
        redis.call('PEXPIRE', key, 2 * lease_ms)
      elseif unit == 'nano_usd' then
        redis.call('HINCRBY', key, 'reserved', amount)
        redis.call('ZADD', key .. ':leases', now_ms + lease_ms, lease .. '|' .. string.format('%d', amount))
        redis.call('EXPIREAT', key, claim[7])
        redis.call('EXPIREAT', key .. ':leases', claim[7])
      else
        redis.call('HINCRBY', key, now_s, amount)
        redis.call('EXPIRE', key, 2 * SPAN_S)
        answer[at + 2] = until_second(now_s)
      end
    end
  end
end

local answers = {}
for i, request in ipairs(requests) do
  local lease, claims = request[1], request[2]
  local answer, after = look(claims)
  if answer[1] == 0 then take(lease, claims, answer, after) end
  answers[i] = answer
end
return answers
