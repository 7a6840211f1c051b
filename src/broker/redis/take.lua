-- Be given tokens, the most urgent first. KEYS: as of put.lua. ARGV: group, consumer, how many.
-- Returns {band, id, job, tenant, priority} for each; what of an entry is no token's is "", or cut off where no token is so
-- long.
--
-- One bell wakes one consumer; whoever leaves tokens behind rings for the next.
local waiting, bell, group, consumer, left = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
local taken = {}

local function read(key)
  local args = {'XREADGROUP', 'GROUP', group, consumer, 'COUNT', left, 'STREAMS', key, '>'}
  local got = redis.pcall(unpack(args))
  if type(got) == 'table' and got.err and string.find(got.err, 'NOGROUP', 1, true) then
    redis.call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
    got = redis.pcall(unpack(args))
  end
  return got
end

for band = 3, 5 do
  local got = left > 0 and read(KEYS[band])
  if got and got.err then return got end
  for _, entry in ipairs(got and got[1][2] or {}) do
    local id, field = entry[1], {}
    for i = 1, #entry[2] - 1, 2 do field[entry[2][i]] = string.sub(entry[2][i + 1], 1, 64) end
    local job = field.job or ''
    if redis.call('HGET', waiting, job) == band .. ' ' .. id then
      redis.call('HDEL', waiting, job)
    end
    taken[#taken + 1] = {band, id, job, field.tenant or '', field.priority or ''}
    left = left - 1
  end
end
if left > 0 then
  redis.call('DEL', waiting, bell) -- nothing waits
elseif redis.call('HLEN', waiting) > 0 and redis.call('LLEN', bell) == 0 then
  redis.call('LPUSH', bell, 'token')
end
return taken
