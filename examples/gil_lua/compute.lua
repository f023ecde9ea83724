-- So many threads compute, each the same amount.  The result: how many seconds that takes together.
local threads, rounds = ...

local function compute()
    local sum = 0
    for i = 1, rounds * 1000 do sum = sum + i % 7 end
    return sum
end

local begun, all = now(), {}
for i = 1, threads do all[i] = spawn("computing " .. i, compute) end
for i = 1, threads do assert(all[i]:join()) end
return now() - begun
