// Bytes that a page carries as text: base64 of raw deflate; of numbers the first bytes of all come first, then the second
// ones, since exponents are alike where digits are not.

/** The bytes of a text, inflated. */
export const inflate = async text => {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

/** Planes of bytes as numbers of `width` bytes again. */
export const interleave = (planes, width) => {
  const bytes = new Uint8Array(planes.length);
  const numbers = planes.length / width;
  for (let plane = 0; plane < width; plane++)
    for (let i = 0, from = plane * numbers; i < numbers; i++) bytes[i * width + plane] = planes[from + i];
  return bytes;
};
