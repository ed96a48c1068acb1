// Users as they see themselves and each other: profiles, search, and who is online. [P2]

import { Type } from '@sinclair/typebox';
import { eq, inArray } from 'drizzle-orm';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { Id } from '../protocol/values.ts';
import {
  action,
  command,
  type ModuleCore,
  query,
  type RateLimit,
  type TopicsAround,
} from '../realtime/index.ts';
import * as contract from './contract.ts';
import { showPresence, showTo } from './hiding.ts';
import { users } from './schema.ts';
import { lockStanding } from './standings.ts';
import { userTopics } from './topics.ts';
import { foldName, found, toOwnUser, toPublicUser } from './user-rows.ts';
import { searchByName } from './user-search.ts';

const tag = 'Users';
const nothing = Type.Object({}, { additionalProperties: false });
const ById = Type.Object({ userId: Id }, { additionalProperties: false });

/** `RATE_SEARCHES_PER_MINUTE`, a user. */
export const searchesPerMinute: RateLimit = {
  name: 'searches',
  points: (config) => config.searchesPerMinute,
  seconds: 60,
};

const readOwn = query('user.me', {
  summary: 'Me',
  tag,
  http: 'GET /users/me',
  input: nothing,
  output: contract.OwnUser,
  async run({ actor, db }) {
    return toOwnUser(found(await db.select().from(users).where(eq(users.id, actor.userId))));
  },
});

/** `RATE_MESSAGES_PER_MINUTE`, a user: everybody around is told of a new name, as they are of a message. */
const profilesPerMinute: RateLimit = {
  name: 'profiles',
  points: (config) => config.messagesPerMinute,
  seconds: 60,
};

const updateOwn = (topicsAround: TopicsAround) =>
  command('user.update', {
    summary: 'Change my profile',
    description:
      'Announced as `profile.updated` on my own topic and, where my name or picture is another one now, on the topics of ' +
      'what I share with others: of chats, the 1,000 with the newest activity.',
    tag,
    http: 'PATCH /users/me',
    limit: profilesPerMinute,
    input: contract.ProfileInput,
    output: contract.OwnUser,
    check({ avatarUrl }) {
      if (typeof avatarUrl === 'string' && !URL.canParse(avatarUrl)) {
        throw new AppError('invalid', 'avatarUrl must be an http or https URL.');
      }
    },
    async run({ actor, tx, emit, audit }, { name, avatarUrl }) {
      await lockStanding(tx, actor);
      const before = found(await tx.select().from(users).where(eq(users.id, actor.userId)));
      const user = found(
        await tx
          .update(users)
          .set({ name, foldedName: name && foldName(name), avatarUrl, updatedAt: new Date() })
          .where(eq(users.id, actor.userId))
          .returning(),
      );
      const fields = (['name', 'avatarUrl'] as const).filter((field) => user[field] !== before[field]);
      if (fields.length > 0) await audit('profile_updated', { fields });
      const isNew = fields.length > 0;
      const around = isNew ? await topicsAround(tx, user.id) : [];
      const profile = { id: user.id, name: user.name, avatarUrl: user.avatarUrl };
      emit([userTopics.on(user.id), ...around], 'profile.updated', profile);
      return toOwnUser(user);
    },
  });

const readPublic = (core: ModuleCore) =>
  query('user.get', {
    summary: 'A public profile',
    tag,
    http: 'GET /users/:userId',
    input: ById,
    output: contract.PublicUser,
    refuses: ['not_found'],
    async run({ actor, db }, { userId }) {
      const user = toPublicUser(found(await db.select().from(users).where(eq(users.id, userId))));
      const [shown = user] = await showTo(core, actor.userId, [user]);
      return shown;
    },
  });

const find = (core: ModuleCore) =>
  query('user.find', {
    summary: 'Public profiles, by ids or by a part of the name',
    description:
      'By `ids`: those that exist, all on one page. By `search`: those whose names contain the text, whatever its case, by ' +
      'name, without disabled users. A page of a search may be short, even empty, and have a `nextCursor` all the same: `null` is the end.',
    tag,
    http: 'GET /users',
    input: contract.UsersQuery,
    output: contract.PublicUserPage,
    limit: searchesPerMinute,
    isFree: (_, { ids }) => ids !== undefined,
    check({ ids, search, limit, cursor }) {
      if ((ids === undefined) === (search === undefined)) {
        throw new AppError('invalid', 'Ask either with "ids" or with "search".');
      }
      if (ids !== undefined && (limit !== undefined || cursor !== undefined)) {
        throw new AppError('invalid', '"ids" are answered on one page: leave out "limit" and "cursor".');
      }
    },
    async run({ actor, db }, { ids, search = '', ...page }) {
      const { items, nextCursor } =
        ids === undefined
          ? await searchByName(db, { foldedText: foldName(search), withDisabled: false }, page, toPublicUser)
          : { items: await readPublicUsers(db, ids.split(',')), nextCursor: null };
      return { items: await showTo(core, actor.userId, items), nextCursor };
    },
  });

const readPresence = action('presence.get', {
  summary: 'Whether a user is online',
  tag: 'Presence',
  http: 'GET /users/:userId/presence',
  input: ById,
  output: contract.UserPresence,
  refuses: ['not_found'],
  start:
    (core) =>
    async ({ actor }, { userId }) => {
      const user = toPublicUser(found(await core.db.select().from(users).where(eq(users.id, userId))));
      const [output] = await showPresence(core, actor.userId, [user]);
      return { output };
    },
});

const findPresence = action('presence.find', {
  summary: 'Which of the users are online',
  tag: 'Presence',
  http: 'GET /presence',
  input: contract.PresenceQuery,
  output: contract.PresenceList,
  start:
    (core) =>
    async ({ actor }, input) => {
      const asked = await readPublicUsers(core.db, input.users.split(','));
      return { output: { items: await showPresence(core, actor.userId, asked), nextCursor: null } };
    },
});

async function readPublicUsers(db: Db, userIds: readonly string[]): Promise<contract.PublicUser[]> {
  const rows = await db
    .select()
    .from(users)
    .where(inArray(users.id, [...userIds]));
  return rows.map(toPublicUser);
}

export const userOperations = (core: ModuleCore, topicsAround: TopicsAround) =>
  [readOwn, updateOwn(topicsAround), readPublic(core), find(core), readPresence, findPresence] as const;
