-- For wrk: the same request over and over (BENCH_BODY: a POST of it), and the result as a line of JSON.
local body = os.getenv("BENCH_BODY")
if body then
  wrk.method, wrk.body = "POST", body
  wrk.headers["Content-Type"] = "application/json"
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"requests": %d, "per_s": %.0f, "p50_ms": %.3f, "p99_ms": %.3f, "wrong": %d}', summary.requests,
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
