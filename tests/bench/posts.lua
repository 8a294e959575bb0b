-- Sends one body after the other from a list in hex: wrk -s posts.lua URL -- FILE
local requests, at = {}, 0

function init(args)
	local headers = { ["Content-Type"] = "application/ocsp-request" }
	for line in io.lines(args[1]) do
		local body = line:gsub("%x%x", function(octet) return string.char(tonumber(octet, 16)) end)
		requests[#requests + 1] = wrk.format("POST", nil, headers, body)
	end
end

function request()
	at = at + 1
	if at > #requests then at = 1 end
	return requests[at]
end
