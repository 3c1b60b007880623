#!lua name=kairos
-- The calls on the state of one partition. KEYS are its five keys, all with one hash tag, so on one node:
-- meta (hash), customers (hash), timers (zset), outbox (hash), turns (list). streams/state/store.py says what each call means.
--
-- How it works. A run-time error inside a function keeps the writes made before it, so every check stands above the first
-- write. Refusals are error replies; their first word is the code and shows in `INFO errorstats`. They hold no text that
-- came from outside.

local META, CUSTOMERS, TIMERS, OUTBOX, TURNS = 1, 2, 3, 4, 5
local KINDS = { 'hash', 'hash', 'zset', 'hash', 'list' }
local CHUNK = 4000 -- unpack() is bound by Lua's C stack of 8,000; even, so that pairs stay together
local TOKEN = 16
local DUE = '1000'

local function refused() return redis.error_reply('REFUSED another token is stored') end
local function missing() return redis.error_reply('MISSING this partition has no state here') end
local function shape(what) return redis.error_reply('SHAPE ' .. what) end

-- The stored token: false when there is no slot, '' before the first acquire.
local function held(keys) return redis.call('HGET', keys[META], 'token') end

-- command key args[first] ... args[first + count - 1], in chunks. Answers where the next run begins.
local function spread(command, key, args, first, count)
  local last = first + count - 1
  for at = first, last, CHUNK do
    redis.call(command, key, unpack(args, at, math.min(at + CHUNK - 1, last)))
  end
  return last + 1
end

-- What is wrong with the kinds of the keys (somebody else wrote there), nil when all is well.
local function misfit(keys)
  for i = 1, #KINDS do
    local kind = redis.call('TYPE', keys[i]).ok
    if kind ~= 'none' and kind ~= KINDS[i] then return 'wanted a ' .. KINDS[i] .. ' as key ' .. i .. ', got a ' .. kind end
  end
end

-- args: a nonce of this call, partitions of the whole system, format of customers, families of facts, then topic,
-- offset, ...
local function create(keys, args)
  if redis.call('HGET', keys[META], 'created') == args[1] then return redis.status_reply('OK') end -- a lost reply
  if redis.call('EXISTS', unpack(keys)) > 0 then return redis.error_reply('EXISTS this partition has a state already') end
  redis.call('HSET', keys[META], 'token', '', 'created', args[1], 'partitions', args[2], 'format', args[3],
    'facts', args[4], 'seq', '0')
  for i = 5, #args, 2 do redis.call('HSET', keys[META], 'next:' .. args[i], args[i + 1]) end
  return redis.status_reply('OK')
end

-- Answers the stored token: what an acquire must show.
local function show(keys) return held(keys) or missing() end

-- args: new token, token before. Leaves a record, else the chain of tokens has a hole. Refused when another one is stored:
-- this request is late, and its token must not come to name newer content.
local function acquire(keys, args)
  local before = held(keys)
  if not before then return missing() end
  if #args[1] ~= TOKEN then return shape('wanted a token of 16 bytes') end
  local fault = misfit(keys)
  if fault then return shape(fault) end
  if before == args[1] then return redis.status_reply('OK') end -- a lost reply
  if before ~= args[2] then return refused() end
  redis.call('RPUSH', keys[TURNS], 'A' .. before .. args[1])
  redis.call('HSET', keys[META], 'token', args[1])
  return redis.status_reply('OK')
end

-- args: token. Answers meta and outbox, both flat.
local function open(keys, args)
  local token = held(keys)
  if not token then return missing() end
  if token == '' or token ~= args[1] then return refused() end
  return { redis.call('HGETALL', keys[META]), redis.call('HGETALL', keys[OUTBOX]) }
end

-- args: token, token of the commit in flight (or '', or the same), customers... Answers their values.
local function load(keys, args)
  local token = held(keys)
  if not token then return missing() end
  if token == '' or (token ~= args[1] and token ~= args[2]) then return refused() end
  local values = {}
  for at = 3, #args, CHUNK do
    local part = redis.call('HMGET', keys[CUSTOMERS], unpack(args, at, math.min(at + CHUNK - 1, #args)))
    for i = 1, #part do values[#values + 1] = part[i] end
  end
  return values
end

-- args of a commit: token, new token, timers until, turn record, records kept, lengths of the six runs {meta, customers,
-- timers set, timers removed, outbox in, outbox out}, then those runs.
local HEAD = 11

-- What is wrong with a commit, nil when it can be written without an error on the way.
local function fault(keys, args, count)
  local sum = HEAD
  for i = 1, 6 do
    count[i] = tonumber(args[5 + i])
    if not count[i] then return 'wanted six lengths' end
    sum = sum + count[i]
  end
  if sum ~= #args then return 'lengths do not add up' end
  if #args[2] ~= TOKEN then return 'wanted a token of 16 bytes' end
  local keep = tonumber(args[5])
  if not keep or keep < 0 or keep % 1 ~= 0 then return 'wanted how many records to keep' end
  local first = HEAD + count[1] + count[2] + 1
  for at = first, first + count[3] - 1, 2 do
    local score = tonumber(args[at])
    if not score or score - score ~= 0 then return 'wanted a finite time of waking' end
  end
  return misfit(keys)
end

local function write(keys, args, count)
  local at = spread('HSET', keys[META], args, HEAD + 1, count[1])
  at = spread('HSET', keys[CUSTOMERS], args, at, count[2])
  at = spread('ZADD', keys[TIMERS], args, at, count[3])
  at = spread('ZREM', keys[TIMERS], args, at, count[4])
  at = spread('HSET', keys[OUTBOX], args, at, count[5])
  spread('HDEL', keys[OUTBOX], args, at, count[6])
  redis.call('HSET', keys[META], 'token', args[2])
  redis.call('RPUSH', keys[TURNS], args[4])
  if args[5] ~= '0' then redis.call('LTRIM', keys[TURNS], '-' .. args[5], '-1') end
end

-- Answers the earliest timer ('' for none), then the customers due. Again so when the new token is stored already: the
-- reply before was lost.
local function commit(keys, args)
  local token = held(keys)
  if not token then return missing() end
  local until_ = tonumber(args[3])
  if not until_ or until_ ~= until_ then return shape('wanted a time until which timers are due') end
  if token ~= args[2] then
    if token == '' or token ~= args[1] then return refused() end
    local count = {}
    local what = fault(keys, args, count)
    if what then return shape(what) end
    write(keys, args, count)
  end
  local answer = redis.call('ZRANGE', keys[TIMERS], '-inf', args[3], 'BYSCORE', 'LIMIT', '0', DUE)
  table.insert(answer, 1, redis.call('ZRANGE', keys[TIMERS], '0', '0', 'WITHSCORES')[2] or '')
  return answer
end

-- args: ids Kafka has acknowledged.
local function trim(keys, args)
  spread('HDEL', keys[OUTBOX], args, 1, #args)
  return redis.status_reply('OK')
end

redis.register_function('kairos_create', create)
redis.register_function { function_name = 'kairos_held', callback = show, flags = { 'no-writes' } }
redis.register_function('kairos_acquire', acquire)
redis.register_function { function_name = 'kairos_open', callback = open, flags = { 'no-writes' } }
redis.register_function { function_name = 'kairos_load', callback = load, flags = { 'no-writes' } }
redis.register_function('kairos_commit', commit)
redis.register_function { function_name = 'kairos_trim', callback = trim, flags = { 'allow-oom' } } -- it only makes room
