// A module where a right hangs on something else: whoever belongs to a club may follow its rooms. Who is removed loses the
// club with the event that says so, and the rooms by `access.revoked`; what is written in a room is withheld until then.
// Locks: the club's row, which a removal has for itself and all others share; then topics.

import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { durable } from '../../../src/protocol/events.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import { Id } from '../../../src/protocol/values.ts';
import { command, defineModule, type Topic, topicKind } from '../../../src/realtime/index.ts';

const strict = { additionalProperties: false };
const Written = Type.Object({ roomId: Id, text: Type.String({ maxLength: 100 }) });
const Removal = Type.Object({ clubId: Id, userId: Id }, strict);

const events = {
  'room.written': durable(['club', 'room'], Written),
  'club.left': durable(['club'], Type.Object({ userId: Id })),
};

const club = topicKind('club', {
  events,
  findFollowable: (db, actor, ids) =>
    findIds(
      db,
      sql`SELECT club_id AS id FROM club_members
          WHERE user_id = ${actor.userId} AND removed_at IS NULL AND club_id = ANY(${sql.param([...ids])}::uuid[])`,
    ),
});

const room = topicKind('room', {
  events,
  findFollowable: (db, actor, ids) =>
    findIds(
      db,
      sql`SELECT rooms.id FROM club_rooms AS rooms JOIN club_members USING (club_id)
          WHERE user_id = ${actor.userId} AND removed_at IS NULL AND rooms.id = ANY(${sql.param([...ids])}::uuid[])`,
    ),
});

/** Of whom rights are taken away. Not of the table of events: on one kind of topic a type is of one module of a server. */
const userOf = (userId: string): Topic => ({ name: userTopic(userId), events: undefined });

const write = command('room.write', {
  summary: 'Write in a room',
  input: Type.Object({ clubId: Id, roomId: Id, text: Type.String({ maxLength: 100 }) }, strict),
  output: Written,
  async run({ tx, emit }, { clubId, ...written }) {
    await tx.execute(sql`SELECT 1 FROM clubs WHERE id = ${clubId} FOR SHARE`);
    const removed = await findIds(
      tx,
      sql`SELECT user_id AS id FROM club_members
          WHERE club_id = ${clubId} AND removed_at > now() - interval '1 hour'`,
    );
    emit([club.on(clubId), room.on(written.roomId)], 'room.written', written, { withheldFrom: [...removed] });
    return written;
  },
});

const remove = command('club.remove', {
  summary: 'Remove a member',
  input: Removal,
  async run({ tx, emit }, { clubId, userId }) {
    await tx.execute(sql`SELECT 1 FROM clubs WHERE id = ${clubId} FOR NO KEY UPDATE`);
    await tx.execute(sql`
      UPDATE club_members SET removed_at = now() WHERE club_id = ${clubId} AND user_id = ${userId}`);
    emit(club.on(clubId), 'club.left', { userId }, { revokes: [userId] });
    emit(userOf(userId), 'access.revoked', { clubId });
    return undefined;
  },
});

export const clubsModule = defineModule('clubs', {
  topicKinds: [club, room],
  events,
  operations: [write, remove],
});

export async function createClubTables(db: Db): Promise<void> {
  await db.execute(sql`CREATE TABLE clubs (id uuid PRIMARY KEY)`);
  await db.execute(sql`CREATE TABLE club_rooms (id uuid PRIMARY KEY, club_id uuid NOT NULL)`);
  await db.execute(sql`
    CREATE TABLE club_members (
      club_id uuid NOT NULL, user_id uuid NOT NULL, removed_at timestamptz, PRIMARY KEY (club_id, user_id)
    )`);
}

export interface Club {
  readonly id: string;
  readonly roomIds: readonly string[];
}

export async function createClub(db: Db, memberIds: readonly string[], rooms: number): Promise<Club> {
  const id = crypto.randomUUID();
  const roomIds = Array.from({ length: rooms }, () => crypto.randomUUID());
  await db.execute(sql`INSERT INTO clubs VALUES (${id})`);
  await db.execute(sql`
    INSERT INTO club_rooms SELECT room_id, ${id} FROM unnest(${sql.param(roomIds)}::uuid[]) AS r(room_id)`);
  await db.execute(sql`
    INSERT INTO club_members SELECT ${id}, user_id FROM unnest(${sql.param([...memberIds])}::uuid[]) AS u(user_id)`);
  return { id, roomIds };
}

const findIds = async (db: Db, query: ReturnType<typeof sql>): Promise<ReadonlySet<string>> =>
  new Set((await queryRows<{ id: string }>(db, query)).map(({ id }) => id));
