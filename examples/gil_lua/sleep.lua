-- So many threads sleep.  The result: how many seconds that takes together.
local threads, seconds = ...
local begun, all = now(), {}
for i = 1, threads do all[i] = spawn("sleeping " .. i, sleep, seconds) end
for i = 1, threads do assert(all[i]:join()) end
return now() - begun
