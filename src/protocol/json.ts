// JSON from outside. How deep it nests is read off the text before anything is parsed: a parser takes 24 ms for 64 KiB of
// brackets, and what walks the result may take time with the square of its depth. One pass over the text, and a key that
// is there twice hides nothing from it. [E1] [X]

/** Of arrays and objects in each other, the outermost among them: for frames and bodies alike. */
export const maxLevels = 64;

/** Whether the text nests deeper than `maxLevels`. Says nothing of what is no JSON: that, a parser refuses. */
export function isTooDeep(text: string): boolean {
  // A level takes two characters.
  if (text.length <= 2 * maxLevels) return false;
  let isDeeper = false;
  walk(text, (level) => {
    isDeeper = level > maxLevels;
    return !isDeeper;
  });
  return isDeeper;
}

/** The text with null for each array and object inside of the outermost one: enough to read the fields of an envelope. */
export function cutNested(text: string): string {
  const kept: string[] = [];
  let keptTo = 0;
  walk(text, (level, index, isOpening) => {
    if (isOpening && level === 2) kept.push(text.slice(keptTo, index), 'null');
    if (!isOpening && level === 1) keptTo = index + 1;
    return true;
  });
  return kept.join('') + text.slice(keptTo);
}

/** Whether jsonb can keep it: it takes neither NUL nor half a surrogate pair, in keys nor values. */
export function isStorable(value: unknown): boolean {
  let isSo = true;
  JSON.stringify(value, (key, inner: unknown) => {
    isSo &&= isText(key) && (typeof inner !== 'string' || isText(inner));
    return inner;
  });
  return isSo;
}

const isText = (value: string): boolean => !value.includes('\0') && value.isWellFormed();

/** The same text for the same value, whatever the order of its keys; undefined is null. */
export function toOrderedJson(value: unknown): string {
  const ordered = JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
  return ordered ?? 'null';
}

/** Visits each bracket outside of strings, with the level behind it; ends where a visit answers false. */
function walk(text: string, visit: (level: number, index: number, isOpening: boolean) => boolean): void {
  let level = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case 0x22: // "
        index = endOfString(text, index);
        break;
      case 0x5b: // [
      case 0x7b: // {
        level += 1;
        if (!visit(level, index, true)) return;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        level -= 1;
        if (!visit(level, index, false)) return;
        break;
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x5c)
      index += 1; // \
    else if (code === 0x22) return index;
  }
  return text.length;
}
