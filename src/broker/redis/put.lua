-- Hand in tokens. KEYS: waiting, bell, the streams of high, normal, low.
-- ARGV: how many may wait, then job, tenant, priority of each token.
--
-- waiting[job] = "band id" of its entry in a stream that nobody was given yet; so a job has one
-- token at most, and the streams never hold more than may wait.
local waiting, bell, most = KEYS[1], KEYS[2], tonumber(ARGV[1])

local function add(job, tenant, priority)
  local number = tonumber(priority)
  local band = number > 0 and 3 or number == 0 and 4 or 5
  local at = redis.call('HGET', waiting, job)
  if at then
    local had, id = string.match(at, '^(%d) (%d+-%d+)$')
    local there = had and #redis.call('XRANGE', KEYS[tonumber(had)], id, id) > 0
    if there and tonumber(had) <= band then return end
    if there then redis.call('XDEL', KEYS[tonumber(had)], id) end
  end
  local id = redis.call('XADD', KEYS[band], 'MAXLEN', '~', 2 * most, '*',
    'job', job, 'tenant', tenant, 'priority', priority)
  redis.call('HSET', waiting, job, band .. ' ' .. id)
end

-- The newest of the lowest; false if there is none.
local function drop()
  for band = 5, 3, -1 do
    local last = redis.call('XREVRANGE', KEYS[band], '+', '-', 'COUNT', 1)[1]
    if last then
      redis.call('XDEL', KEYS[band], last[1])
      for i = 1, #last[2] - 1, 2 do
        if last[2][i] == 'job' then redis.call('HDEL', waiting, last[2][i + 1]) end
      end
      return true
    end
  end
  return false
end

for i = 2, #ARGV, 3 do
  add(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
while redis.call('HLEN', waiting) > most do
  if not drop() then redis.call('DEL', waiting) end
end
if redis.call('HLEN', waiting) > 0 and redis.call('LLEN', bell) == 0 then
  redis.call('LPUSH', bell, 'token')
end
return redis.call('HLEN', waiting)
