// How the demo and the terminal client show what goes over the wire: a line an envelope.

import type { ServerFrame } from './connection.ts';

export interface Printer {
  /** A frame to the server, or a text typed as one. Access tokens are left out. */
  sent(frame: object | string): void;
  received(frame: ServerFrame): void;
  note(text: string): void;
}

const colours = { cyan: 36, green: 32, grey: 90 };

/** Prints a line an envelope: time (UTC), who, direction, compact JSON. Coloured on a terminal only. */
export function createPrinter(who = ''): Printer {
  const paint = (colour: keyof typeof colours, text: string): string =>
    process.stdout.isTTY ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
  const print = (colour: keyof typeof colours, mark: string, text: string): void => {
    const time = new Date().toISOString().slice(11, 23);
    const start = [paint('grey', time), who, paint(colour, mark)].filter(Boolean).join(' ');
    process.stdout.write(`${start} ${text}\n`);
  };
  return {
    sent(frame) {
      const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
      print('cyan', '→', text.replace(/("token":\s*")[^"]*/g, '$1…'));
    },
    received: (frame) => print('green', '←', JSON.stringify(frame)),
    note: (text) => print('grey', '·', text),
  };
}
