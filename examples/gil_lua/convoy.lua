-- One thread echoes what comes to a socket, until that is "stop"; so many others compute meanwhile.
-- The result: what they have computed.
local descriptor, threads = ...
local stop, rounds = false, {}

local function compute(i)
    rounds[i] = 0
    while not stop do
        local sum = 0
        for j = 1, 1000 do sum = sum + j % 7 end
        rounds[i] = rounds[i] + 1
    end
end

local function echo()
    local socket = socket(descriptor)
    while true do
        local bytes = socket:recv()
        if bytes == "stop" then break end
        socket:send(bytes)
    end
    stop = true
end

spawn("answering", echo)
local all = {}
for i = 1, threads do all[i] = spawn("computing " .. i, compute, i) end
local sum = 0
for i = 1, threads do
    all[i]:join()
    sum = sum + rounds[i]
end
return sum
