-- Take over tokens that were given to consumers who are silent about them, and forget consumers who
-- have not been seen for long. KEYS: as of put.lua. ARGV: group, consumer, milliseconds of silence,
-- of absence, how many. Returns what take.lua does.
local group, consumer = ARGV[1], ARGV[2]
local taken = {}

for band = 3, 5 do
  local got = redis.pcall('XAUTOCLAIM', KEYS[band], group, consumer, ARGV[3], '0-0', 'COUNT', ARGV[5])
  for _, entry in ipairs(not got.err and got[2] or {}) do
    local field = {}
    for i = 1, #(entry and entry[2] or {}) - 1, 2 do field[entry[2][i]] = string.sub(entry[2][i + 1], 1, 64) end
    if entry then
      taken[#taken + 1] = {band, entry[1], field.job or '', field.tenant or '', field.priority or ''}
    end
  end
  local seen = redis.pcall('XINFO', 'CONSUMERS', KEYS[band], group)
  for _, one in ipairs(not seen.err and seen or {}) do
    local of = {}
    for i = 1, #one - 1, 2 do of[one[i]] = one[i + 1] end
    if of.name ~= consumer and of.pending == 0 and of.idle > tonumber(ARGV[4]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[band], group, of.name)
    end
  end
end
return taken
