// Presence of one instance alone, in its memory.

import { type AnnouncePresence, flapMs, type Presence } from './presence.ts';

interface Present {
  devices: number;
  /** Runs while the last device is gone and may still come back. */
  leaving: ReturnType<typeof setTimeout> | undefined;
}

export function createMemoryPresence(
  announce: AnnouncePresence,
  options: { flapMs: number } = { flapMs },
): Presence {
  const topics = new Map<string, Map<string, Present>>();
  const connections = new Map<string, number>();

  const forget = (topic: string, userId: string): void => {
    const users = topics.get(topic);
    users?.delete(userId);
    if (users?.size === 0) topics.delete(topic);
  };

  return {
    join(topic, userId) {
      let users = topics.get(topic);
      if (users === undefined) {
        users = new Map();
        topics.set(topic, users);
      }
      const present = users.get(userId);
      if (present === undefined) {
        users.set(userId, { devices: 1, leaving: undefined });
        announce('presence.joined', topic, userId);
        return;
      }
      clearTimeout(present.leaving);
      present.leaving = undefined;
      present.devices += 1;
    },

    leave(topic, userId) {
      const present = topics.get(topic)?.get(userId);
      if (present === undefined || present.devices === 0) return;
      present.devices -= 1;
      if (present.devices > 0) return;
      present.leaving = setTimeout(() => {
        forget(topic, userId);
        announce('presence.left', topic, userId);
      }, options.flapMs);
    },

    async list(topic) {
      const users = [...(topics.get(topic) ?? [])];
      return new Map(
        users.filter(([, { devices }]) => devices > 0).map(([id, { devices }]) => [id, devices]),
      );
    },

    connect(userId) {
      connections.set(userId, (connections.get(userId) ?? 0) + 1);
    },

    disconnect(userId) {
      const left = (connections.get(userId) ?? 0) - 1;
      if (left > 0) connections.set(userId, left);
      else connections.delete(userId);
    },

    async devicesOf(userIds) {
      const devices = new Map<string, number>();
      for (const userId of userIds) {
        const count = connections.get(userId);
        if (count !== undefined) devices.set(userId, count);
      }
      return devices;
    },

    async stop() {
      for (const users of topics.values()) for (const { leaving } of users.values()) clearTimeout(leaving);
      topics.clear();
    },
  };
}
