-- Asks for one path as from one address after the other: wrk -s addresses.lua URL -- FILE
local requests, at = {}, 0

function init(args)
	for line in io.lines(args[1]) do
		requests[#requests + 1] = wrk.format("GET", wrk.path, { ["X-Real-IP"] = line })
	end
end

function request()
	at = at + 1
	if at > #requests then at = 1 end
	return requests[at]
end
