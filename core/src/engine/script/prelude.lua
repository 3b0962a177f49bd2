-- What scripts see: Lua's functions as far as Redis lets them, in an environment that they cannot
-- change. Lua 5.1 has no read-only tables. So every table that scripts share is hidden behind a
-- userdata value that passes reading on, and the table of globals is always empty.

local native, null = ...
local error, getmetatable, ipairs, loadstring = error, getmetatable, ipairs, loadstring
local newproxy, next, pairs, pcall, rawget = newproxy, next, pairs, pcall, rawget
local rawset, setfenv, setmetatable, tostring = rawset, setfenv, setmetatable, tostring
local select, type, xpcall, sub, gsub, concat = select, type, xpcall, string.sub, string.gsub, table.concat
local resume = coroutine.resume

local REFUSED = 'Attempt to modify a readonly table'

-- From each value that hides a table to the table.
local hidden = setmetatable({}, { __mode = 'k' })

local function refuse()
  error(REFUSED, 2)
end

local function hide(content)
  local front = newproxy(true)
  local meta = getmetatable(front)
  meta.__index, meta.__newindex = content, refuse
  meta.__len = function() return 0 end
  hidden[front] = content
  return front
end

-- Errors. Those that end a script are userdata that no script may catch; what a native function
-- raised is made what Redis would have raised.

local function is_foreign(problem)
  return type(problem) == 'userdata' and problem ~= null and not hidden[problem]
end

-- What a script gets to see of an error.
local function seen(problem)
  if is_foreign(problem) then
    return native.seen(problem)
  elseif type(problem) == 'string' then
    return (gsub(problem, '^%[keyslot%]:%d+: ', ''))
  end
  return problem
end

local function caught(ok, ...)
  if ok then
    return true, ...
  end
  local problem = seen((...))
  if type(problem) == 'table' then
    local text = problem.err
    if type(text) == 'string' or type(text) == 'number' then
      problem = text
    end
  end
  return false, problem
end

local function protected_call(...)
  return caught(pcall(...))
end

local function handled(ok, ...)
  local problem = ...
  if not ok and is_foreign(problem) then
    native.seen(problem)
  end
  return ok, ...
end

local function protected_call_with_handler(...)
  local work, handler = ...
  if select('#', ...) < 2 then
    error("bad argument #2 to 'xpcall' (value expected)")
  end
  return handled(xpcall(work, function(problem)
    if native.ends(problem) then
      return problem
    end
    return handler(seen(problem))
  end))
end

local function resumed(ok, ...)
  if ok then
    return true, ...
  end
  return false, seen((...))
end

local function resume_coroutine(...)
  return resumed(resume(...))
end

-- Tables that are hidden are tables to scripts.

local function type_of(value)
  if hidden[value] then
    return 'table'
  end
  return type(value)
end

local function next_pair(t, key)
  return next(hidden[t] or t, key)
end

local function all_pairs(t)
  if hidden[t] then
    return next_pair, t, nil
  end
  return pairs(t)
end

local function raw_get(t, key)
  return rawget(hidden[t] or t, key)
end

local function raw_set(t, key, value)
  if hidden[t] then
    error(REFUSED, 0)
  end
  return rawset(t, key, value)
end

local fronts = setmetatable({}, { __mode = 'k' })

local function get_metatable(value)
  if hidden[value] then
    return fronts[value]
  elseif type(value) == 'string' then
    return fronts.string
  elseif type(value) == 'userdata' then
    return nil
  end
  return getmetatable(value)
end

local function set_metatable(t, meta)
  if hidden[t] then
    error(REFUSED, 0)
  end
  return setmetatable(t, hidden[meta] or meta)
end

local insert, remove = table.insert, table.remove

local function insert_into(t, ...)
  if hidden[t] then
    error(REFUSED, 0)
  end
  return insert(t, ...)
end

local function remove_from(t, ...)
  if hidden[t] then
    error(REFUSED, 0)
  end
  return remove(t, ...)
end

-- Text becomes code in the environment of scripts. Bytecode is read as text, which it is not.

-- Errors that no script caught are told with the place where they were raised.
local function report(problem)
  if native.ends(problem) then
    return problem
  end
  if type(problem) ~= 'string' then
    problem = seen(problem)
  end
  if type(problem) ~= 'table' then
    problem = tostring(problem)
  end
  return native.report(problem)
end

local function compile_in(environment)
  local function compile(text, name)
    local code = sub(text, 1, 1) == '\27' and ' ' .. text or text
    local work, problem = loadstring(code, name)
    if work then
      setfenv(work, environment)
    end
    return work, problem
  end
  local function load_string(text, name)
    text = type(text) == 'number' and tostring(text) or text
    return compile(text, name or text)
  end
  local function load_pieces(...)
    local read, name = ...
    if type_of(read) ~= 'function' then
      local kind = select('#', ...) == 0 and 'no value' or type_of(read)
      error("bad argument #1 to 'load' (function expected, got " .. kind .. ')', 2)
    end
    local function checked()
      local piece = read()
      if piece ~= nil and type(piece) ~= 'string' and type(piece) ~= 'number' then
        error('reader function must return a string')
      end
      return piece
    end
    local pieces = {}
    while true do
      local ok, piece = xpcall(checked, report)
      if not ok then
        return nil, seen(piece)
      elseif piece == nil or piece == '' then
        return compile(concat(pieces), name or '=(load)')
      end
      pieces[#pieces + 1] = piece
    end
  end
  return load_string, load_pieces
end

local function copy(from, names)
  local to = {}
  for _, name in ipairs(names) do
    to[name] = from[name]
  end
  return to
end

local function merged(...)
  local to = {}
  for _, from in ipairs({ ... }) do
    for name, value in pairs(from) do
      to[name] = value
    end
  end
  return to
end

local G = getfenv(1)
local own_string = copy(string, { 'sub', 'upper', 'len', 'gfind', 'rep', 'find', 'match', 'char',
  'dump', 'gmatch', 'reverse', 'byte', 'format', 'gsub', 'lower' })
local string_front = hide(own_string)
getmetatable('').__index = own_string
fronts.string = hide({ __index = string_front })

local function no_such_global(_, name)
  local kind = type(name)
  if kind ~= 'string' and kind ~= 'number' then
    error('Second argument to luaProtectedTableError must be a string or number', 2)
  end
  error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end

-- Makes an environment, and returns it with the table that its globals are in.
local function environment(api)
  local globals = copy(G, { '_VERSION', 'assert', 'collectgarbage', 'error', 'gcinfo', 'ipairs',
    'rawequal', 'select', 'tonumber', 'tostring', 'unpack' })
  local outside = { __newindex = refuse, __index = globals }
  local environment = setmetatable({}, outside)
  setmetatable(globals, { __index = no_such_global })
  globals._G = hide(globals)
  fronts[globals._G] = hide({ __index = globals._G })
  globals.pcall, globals.xpcall = protected_call, protected_call_with_handler
  globals.type, globals.next, globals.pairs = type_of, next_pair, all_pairs
  globals.rawget, globals.rawset = raw_get, raw_set
  globals.getmetatable, globals.setmetatable = get_metatable, set_metatable
  globals.loadstring, globals.load = compile_in(environment)
  globals.string = string_front
  globals.table = hide(merged(table, { insert = insert_into, remove = remove_from }))
  globals.math = hide(merged(math, native.math))
  globals.coroutine = hide(merged(coroutine, { resume = resume_coroutine }))
  globals.os = hide({ clock = native.clock })
  globals.bit, globals.struct = hide(native.bit), hide(native.struct)
  globals.cjson, globals.cmsgpack = hide(native.cjson), hide(native.cmsgpack)
  globals.redis = hide(api)
  globals.server = globals.redis
  return environment, globals
end

-- Makes the globals that a library sees while it is loaded.
local function loading(api)
  local front = hide(setmetatable(api, { __index = no_such_global }))
  return setmetatable({ redis = front, server = front }, { __index = no_such_global })
end

local function run(work, ...)
  if select('#', ...) == 0 then
    return xpcall(work, report)
  end
  local keys, arguments = ...
  return xpcall(function() return work(keys, arguments) end, report)
end

return environment, loading, run
