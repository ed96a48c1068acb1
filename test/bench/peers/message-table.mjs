// What most do who keep messages: one INSERT each, through a pool. No order, no log, no rights.

import pg from 'pg';

/** Answers the function that stores one message. */
export async function createMessageTable(connectionString) {
  const pool = new pg.Pool({ connectionString, max: 10 });
  await pool.query(`
    CREATE TABLE IF NOT EXISTS messages (
      id bigserial PRIMARY KEY,
      room text NOT NULL,
      content text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    )`);
  return async (room, content) => {
    const { rows } = await pool.query({
      name: 'store',
      text: 'INSERT INTO messages (room, content) VALUES ($1, $2) RETURNING id',
      values: [room, content],
    });
    return rows[0].id;
  };
}
