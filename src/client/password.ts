// Asks for a password on the terminal and shows nothing of it. The line behind it is left for whoever reads next.

const keys = {
  interrupt: '\u0003',
  end: '\u0004',
  clear: '\u0015',
  erase: ['\u007f', '\b'],
  enter: ['\r', '\n'],
};

/** Throws where there is no terminal to ask on, and where nothing was typed. Ctrl-C ends the process, as elsewhere. */
export async function askPassword(email: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new Error(
      'Expected a password: set CARILLON_PASSWORD, or start this on a terminal, where it is asked for.',
    );
  }
  const typed = Promise.withResolvers<string>();
  let password = '';
  const onData = (bytes: Buffer): void => {
    const text = bytes.toString();
    for (const [index, key] of [...text].entries()) {
      if (key === keys.interrupt) process.exit(130);
      if (keys.enter.includes(key) || key === keys.end) {
        stdin.off('data', onData);
        stdin.pause();
        const rest = [...text].slice(index + 1).join('');
        if (rest !== '') stdin.unshift(Buffer.from(rest));
        typed.resolve(password);
        return;
      }
      if (key === keys.clear) password = '';
      else if (keys.erase.includes(key)) password = [...password].slice(0, -1).join('');
      else password += key;
    }
  };
  stdin.setRawMode(true); // nothing is echoed, and keys come one by one: before anyone is asked to type
  stderr.write(`Password of ${email}: `);
  stdin.on('data', onData);
  stdin.resume();
  await typed.promise;
  stdin.setRawMode(false);
  stderr.write('\n');
  if (password === '') throw new Error('No password was typed.');
  return password;
}
