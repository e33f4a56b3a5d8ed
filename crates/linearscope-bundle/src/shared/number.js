// Numbers as people read them: like the report, with so many significant digits and a true minus.

const minus = text => text.replaceAll("-", "−");

/** `x` with so many significant digits: plain from 0.001 to a million, else with a power of ten. */
export const significant = (x, digits = 4) => {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  if (size >= 1e-3 && size < 1e6) {
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    return minus(x.toFixed(Math.min(decimals, 12)));
  }
  return minus(x.toExponential(digits - 1).replace("e+", "e"));
};

/** A share as per cent, for people. */
export const percent = (share, digits = 3) =>
  Number.isFinite(share) ? `${significant(100 * share, digits)} %` : "–";

/** A count with thin spaces between thousands. */
export const count = n => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A span of time. */
export const time = ms =>
  !Number.isFinite(ms) ? "" : ms < 1000 ? `${significant(ms, 2)} ms` : `${significant(ms / 1000, 2)} s`;
