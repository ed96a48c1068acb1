// What presence does inside Redis, each script in one step. A place is a topic, or a share of the users who are online.
// An instance holds a user at a place from the first device to the end of the grace behind the last one. Whoever makes
// the number of holders leave or reach zero announces it, so every change is announced once in the whole cluster.
//
//   leases            sorted set: instance → when its lease ends, in ms of the clock of Redis
//   held:<instance>   hash: "place user" → its devices; 0 during the grace
//   devices:<place>   hash: user → devices of all instances, without zeros
//   holders:<place>   hash: user → how many instances hold the user
//   reaps:<instance>  how often its lease ran out, and others announced that its users left
//
// Keys fall into buckets with a hash tag each: the keys of one script are on one node of a Redis Cluster.

import type { Result } from 'ioredis';
import type { RedisClient } from '../../redis/client.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    holdPresence(
      ...args: [
        leases: string,
        held: string,
        devices: string,
        holders: string,
        instance: string,
        place: string,
        userId: string,
        devices: number,
      ]
    ): Result<number, Context>;
    renewPresence(
      ...args: [
        leases: string,
        reaps: string,
        prefix: string,
        instance: string,
        leaseMs: number,
        trustedMs: number,
      ]
    ): Result<LeaseAnswer, Context>;
  }
}

/** Whether the own lease was there, how often others reaped what was held under it, and each "place user" that left. */
export type LeaseAnswer = [wasHeld: 0 | 1, reaps: number, ...left: string[]];

/** Answers 1: the user joined the place; -1: left it; 0: neither. Fails without a lease. `devices` -1: held no longer. */
const hold = `
local leases, held, devices, holders = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local instance, place, user, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not redis.call('ZSCORE', leases, instance) then return redis.error_reply('NOLEASE of this instance') end
local entry = place .. ' ' .. user
local before = redis.call('HGET', held, entry)
if count < 0 then redis.call('HDEL', held, entry) else redis.call('HSET', held, entry, count) end
local change = math.max(count, 0) - tonumber(before or 0)
if change ~= 0 and redis.call('HINCRBY', devices, user, change) <= 0 then redis.call('HDEL', devices, user) end
if count >= 0 and not before then
  return redis.call('HINCRBY', holders, user, 1) == 1 and 1 or 0
elseif count < 0 and before and redis.call('HINCRBY', holders, user, -1) <= 0 then
  redis.call('HDEL', holders, user)
  return -1
end
return 0`;

/**
 * Renews the lease, and reaps what instances hold whose lease has run out. Reaps are counted, not flagged: whoever was
 * away may never see the answer to its first renewal. Nothing is reaped unless the own lease has `trustedMs` left: when
 * Redis stood still, renewals of all instances wait in it, and the first one served must not reap the others. The keys
 * under the prefix have the hash tag of the declared ones.
 */
const renew = `
local leases, reaps, prefix = KEYS[1], KEYS[2], ARGV[1]
local instance, leaseMs, trustedMs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local own = redis.call('ZSCORE', leases, instance)
redis.call('ZADD', leases, now + leaseMs, instance)
local answer = { own and 1 or 0, tonumber(redis.call('GET', reaps) or 0) }
if not own or own - now < trustedMs then return answer end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  local held = redis.call('HGETALL', prefix .. 'held:' .. gone)
  for index = 1, #held, 2 do
    local place, user = string.match(held[index], '^(.*) (.*)$')
    local devices, holders = prefix .. 'devices:' .. place, prefix .. 'holders:' .. place
    local count = tonumber(held[index + 1])
    if count > 0 and redis.call('HINCRBY', devices, user, -count) <= 0 then redis.call('HDEL', devices, user) end
    if redis.call('HINCRBY', holders, user, -1) <= 0 then
      redis.call('HDEL', holders, user)
      answer[#answer + 1] = held[index]
    end
  end
  redis.call('DEL', prefix .. 'held:' .. gone)
  redis.call('ZREM', leases, gone)
  redis.call('INCR', prefix .. 'reaps:' .. gone)
  redis.call('EXPIRE', prefix .. 'reaps:' .. gone, 3600)
end
return answer`;

export function definePresenceScripts(redis: RedisClient): void {
  redis.defineCommand('holdPresence', { lua: hold, numberOfKeys: 4 });
  redis.defineCommand('renewPresence', { lua: renew, numberOfKeys: 2 });
}
