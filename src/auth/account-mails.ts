// Mails with a secret. A request writes down an address, the same row whoever it is: whether there is such a user is found
// out when the mail is due, within a second. So the answer to a request, and its time, say nothing of that. The secret is made
// when a mail is sent, and stands nowhere in clear. What the next server does not take is sent again, with a new secret; what
// was under way when an instance was killed, too: so a mail may come twice, and then the later one counts.

import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import type { Mail, Mailer } from '../mail/mailer.ts';
import { type Reporter, type Timed, timed } from '../realtime/index.ts';
import { createAccountToken, tokenHours } from './account-tokens.ts';
import { accountMails, isMailWaiting, type MailPurpose, users } from './schema.ts';
import type { UserRow } from './user-rows.ts';

/** In which so many minutes behind each attempt comes the next one; behind the last it is given up. */
const pausesMinutes = [1, 5, 15, 60];

/** Asks for a mail. With the transaction, where one is given. */
export async function requestMail(db: Db, purpose: MailPurpose, email: string): Promise<void> {
  await db.insert(accountMails).values({ id: Bun.randomUUIDv7(), purpose, email });
}

/** Of an address that is nobody's any more. */
export async function withdrawMails(tx: Db, email: string): Promise<void> {
  await tx.delete(accountMails).where(sql`lower(${accountMails.email}) = lower(${email})`);
}

export interface AccountMails {
  /** What sends those that are due. */
  readonly sending: Timed;
  /** Waits for what is under way. */
  stop(): Promise<void>;
}

export function createAccountMails(deps: {
  readonly config: Pick<Config, 'publicUrl'>;
  readonly db: Db;
  readonly mailer: Mailer;
  readonly reporter: Pick<Reporter, 'report'>;
}): AccountMails {
  const { config, db, mailer, reporter } = deps;
  const underWay = new Set<Promise<void>>();

  /** Behind COMMIT, and beside everything else: the next server may take its time. */
  function send(id: string, mail: Mail): void {
    const sent = mailer
      .send(mail)
      .then(async () => void (await db.delete(accountMails).where(eq(accountMails.id, id))))
      .catch((error: unknown) => reporter.report(error, 'sending a mail'))
      .finally(() => underWay.delete(sent));
    underWay.add(sent);
  }

  const sending = timed('account.mail', {
    table: accountMails,
    id: accountMails.id,
    dueAt: accountMails.sendAt,
    isOpen: isMailWaiting,
    async run({ tx, afterCommit }, ids) {
      const asked = await tx
        .select()
        .from(accountMails)
        .where(inArray(accountMails.id, [...ids]));
      const userOf = await readUsers(
        tx,
        asked.map(({ email }) => email),
      );
      const over: string[] = [];
      for (const { id, purpose, email, attempts } of asked) {
        const user = userOf.get(email.toLowerCase());
        const pause = pausesMinutes[attempts];
        if (user === undefined || (purpose === 'verify' && user.emailVerified)) over.push(id);
        else if (pause === undefined) {
          over.push(id);
          afterCommit(() => reporter.report(new Error('A mail was given up.'), `a mail to ${user.id}`));
        } else {
          const token = await createAccountToken(tx, user.id, purpose);
          await tx
            .update(accountMails)
            .set({ attempts: attempts + 1, sendAt: sql`now() + make_interval(mins => ${pause})` })
            .where(eq(accountMails.id, id));
          afterCommit(() => send(id, writeMail(user, purpose, token, config.publicUrl)));
        }
      }
      if (over.length > 0) await tx.delete(accountMails).where(inArray(accountMails.id, over));
    },
  });

  return {
    sending,
    async stop() {
      await Promise.all(underWay);
    },
  };
}

/** Those who are there and not disabled, by their addresses in lower case. */
async function readUsers(tx: Db, emails: readonly string[]): Promise<ReadonlyMap<string, UserRow>> {
  const folded = [...new Set(emails.map((email) => email.toLowerCase()))];
  const rows = await tx
    .select()
    .from(users)
    .where(and(inArray(sql`lower(${users.email})`, folded), isNull(users.disabledAt)));
  return new Map(rows.map((row) => [row.email.toLowerCase(), row]));
}

const words: Readonly<Record<MailPurpose, { subject: string; what: string; otherwise: string }>> = {
  verify: {
    subject: 'Your e-mail address',
    what: 'Confirm that this address is yours',
    otherwise: 'If you have no account, somebody else gave your address: do nothing.',
  },
  reset: {
    subject: 'A new password',
    what: 'Choose a new password',
    otherwise: 'If you did not ask for one, do nothing: your password stays as it is.',
  },
};

/** The secret stands behind the `#`, which browsers keep to themselves: in no log, and in no `Referer`. */
function writeMail(
  { email, name }: Pick<UserRow, 'email' | 'name'>,
  purpose: MailPurpose,
  token: string,
  publicUrl: string | undefined,
): Mail {
  const { subject, what, otherwise } = words[purpose];
  const hours = tokenHours[purpose];
  const text = [
    `Hello ${name},`,
    ...(publicUrl === undefined ? [] : [`${what}: ${publicUrl}/account/${purpose}#${token}`]),
    `The token, good once and for ${hours === 1 ? 'an hour' : `${hours} hours`}: ${token}`,
    otherwise,
  ];
  return { to: email, subject, text: `${text.join('\n\n')}\n` };
}
