-- As convoy.lua, for a client in a process of its own: prints where it listens, and for each line of
-- standard input how many rounds were computed until when.  Ends where that ends.
local kind, threads, apart = ...
local stop, rounds = false, {}

local function compute(i)
    if apart then bind(1) end
    while not stop do
        local sum = 0
        for j = 1, 1000 do sum = sum + j % 7 end
        rounds[i] = rounds[i] + 1
    end
end

local function echo(socket)
    while true do
        local bytes = socket:recv()
        if not bytes then break end
        socket:send(bytes)
    end
end

local listener = kind == "tcp" and tcp() or udp()
print("listening on 127.0.0.1:" .. listener:port())
spawn("answering", function()
    if apart then bind(2) end
    while not stop do
        pcall(function() echo(kind == "tcp" and listener:accept() or listener) end)
    end
end)
for i = 1, threads do
    rounds[i] = 0
    spawn("computing " .. i, compute, i)
end
while read_line() do
    local sum = 0
    for i = 1, threads do sum = sum + rounds[i] end
    print(sum, now())
end
stop = true
listener:close()
