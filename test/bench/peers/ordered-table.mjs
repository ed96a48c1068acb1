// What a team would write by hand for Carillon's promise: the right, a number on the room, the message and its event, in one
// transaction for each message. Without retries, keys, healing or an audit log.

import pg from 'pg';

/** Answers the function that stores one message; all rooms have all users. */
export async function createOrderedTable(connectionString) {
  const pool = new pg.Pool({ connectionString, max: 10 });
  await pool.query(`
    CREATE TABLE IF NOT EXISTS rooms (name text PRIMARY KEY, head bigint NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS members (room text, member text, PRIMARY KEY (room, member));
    CREATE TABLE IF NOT EXISTS messages (
      room text, seq bigint, content text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (room, seq)
    );
    CREATE TABLE IF NOT EXISTS events (
      room text, seq bigint, payload json NOT NULL, PRIMARY KEY (room, seq)
    )`);
  const known = new Map();
  const enter = async (room) => {
    await pool.query('INSERT INTO rooms (name) VALUES ($1) ON CONFLICT DO NOTHING', [room]);
    await pool.query("INSERT INTO members VALUES ($1, 'anyone') ON CONFLICT DO NOTHING", [room]);
  };
  const query = (client, name, text, values) => client.query({ name, text, values });

  return async (room, content) => {
    if (!known.has(room)) known.set(room, enter(room));
    await known.get(room);
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const raised = await query(
        client,
        'raise',
        'UPDATE rooms SET head = head + 1 WHERE name = $1 RETURNING head',
        [room],
      );
      const found = await query(client, 'find', 'SELECT 1 FROM members WHERE room = $1 AND member = $2', [
        room,
        'anyone',
      ]);
      if (found.rowCount === 0) throw new Error('forbidden');
      const seq = raised.rows[0].head;
      await query(client, 'message', 'INSERT INTO messages (room, seq, content) VALUES ($1, $2, $3)', [
        room,
        seq,
        content,
      ]);
      await query(client, 'event', 'INSERT INTO events (room, seq, payload) VALUES ($1, $2, $3)', [
        room,
        seq,
        JSON.stringify({ seq, content }),
      ]);
      await client.query('COMMIT');
      return seq;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
}
