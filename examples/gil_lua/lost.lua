-- Two threads count to one global.  The read, the sum and the write are instructions of their own.
local threads, times, show = ...
counter = 0

function count()
    for i = 1, times do counter = counter + 1 end
end

if show then
    print(listing(count))
    return
end
local all = {}
for i = 1, threads do all[i] = spawn("counting " .. i, count) end
begin()
for i = 1, threads do all[i]:join() end
return counter
