// HTML as a template: whatever is put into it is escaped, unless it is HTML itself.

export interface Html {
  readonly html: string;
}

type Part = Html | string | number | false | undefined | readonly Part[];

export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.reduce((whole, text, index) => whole + show(parts[index - 1]) + text),
});

/** A line of Markdown, of which the documents use no more than code in backticks. */
export const prose = (text: string): Html => ({
  html: show(text).replace(/`([^`]+)`/g, '<code>$1</code>'),
});

/** The same with a full stop at its end. */
export const sentence = (text: string): Html => prose(text.endsWith('.') ? text : `${text}.`);

function show(part: Part): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'string' || typeof part === 'number') return Bun.escapeHTML(String(part));
  return 'html' in part ? part.html : part.map(show).join('');
}
