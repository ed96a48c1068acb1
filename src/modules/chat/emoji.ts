// What counts as one emoji.

/**
 * Those that Unicode recommends for general interchange (UTS #51, RGI): flags, keycaps, skin tones and families among them.
 * Beside these single characters without the selector that gives them colour, as some keyboards write ❤. Each is one
 * grapheme, so nothing can hang on to it: splitting by `Intl.Segmenter` alone would let combining marks and made-up
 * joints pass.
 */
const oneEmoji = /^(?:\p{RGI_Emoji}|\p{Extended_Pictographic})$/v;

export const isEmoji = (text: string): boolean => oneEmoji.test(text);
