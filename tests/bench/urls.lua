-- Asks one address after the other from a list: wrk -s urls.lua URL -- FILE PREFIX
local requests, at = {}, 0

function init(args)
	for line in io.lines(args[1]) do
		requests[#requests + 1] = wrk.format("GET", args[2] .. line)
	end
end

function request()
	at = at + 1
	if at > #requests then at = 1 end
	return requests[at]
end
