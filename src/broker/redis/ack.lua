-- Forget tokens that were given and are done with. KEYS: as of put.lua. ARGV: group, then band, id of each.
for i = 2, #ARGV, 2 do
  local key = KEYS[tonumber(ARGV[i])]
  redis.pcall('XACK', key, ARGV[1], ARGV[i + 1])
  redis.call('XDEL', key, ARGV[i + 1])
end
return #ARGV
