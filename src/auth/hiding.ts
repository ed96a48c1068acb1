// What of a user shows whether they are there, or were: a viewer from whom the user hides sees none of it. [P4]

import type { ModuleCore } from '../realtime/index.ts';
import type { PublicUser, UserPresence } from './contract.ts';

/** Profiles as the viewer may see them. */
export async function showTo(
  { findHidden }: Pick<ModuleCore, 'findHidden'>,
  viewerId: string,
  users: readonly PublicUser[],
): Promise<PublicUser[]> {
  const hidden = await findHidden(viewerId, users.map(idOf));
  return users.map((user) => (hidden.has(user.id) ? { ...user, lastSeenAt: null } : user));
}

/** The same users' presence: who hides from the viewer looks like somebody who was never there. */
export async function showPresence(
  { findHidden, presence }: Pick<ModuleCore, 'findHidden' | 'presence'>,
  viewerId: string,
  users: readonly PublicUser[],
): Promise<UserPresence[]> {
  const userIds = users.map(idOf);
  const [devicesOf, hidden] = await Promise.all([presence.devicesOf(userIds), findHidden(viewerId, userIds)]);
  return users.map(({ id, lastSeenAt }) => {
    if (hidden.has(id)) return { userId: id, online: false, devices: 0, lastSeenAt: null };
    const devices = devicesOf.get(id) ?? 0;
    return { userId: id, online: devices > 0, devices, lastSeenAt };
  });
}

const idOf = ({ id }: PublicUser): string => id;
