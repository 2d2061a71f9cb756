/**
 * Public suffixes of two labels, below which anybody may register: enough to stop a star over strangers' names by
 * mistake. It is a short list of common ones, not the whole Public Suffix List; every single label counts as well.
 */
const TWO_LABELS: Readonly<Record<string, string>> = {
  ac: "at cn id il in jp ke kr nz rs ru th tr tz ug uk za",
  asso: "fr re",
  co: "at cr gg hu id il im in je jp ke kr mz nz rs th tz ug uk uz ve za zm zw",
  com:
    "ar au bd bn bo br by cn co cy do ec eg es fr gh gr gt hk hr jm kh kw lb mk mm mt mx my na ng ni np om pa pe ph " +
    "pk pl pr pt py qa ro ru sa sg sv tn tr tw ua uy ve vn",
  edu: "ar au bd br cn co ec eg es gr hk in kw lb mt mx my ng np pe ph pk pl pt qa sa sg tr tw ua uy ve vn",
  gob: "ar cl ec es mx pe ve",
  gouv: "ci fr ml sn",
  gov:
    "ar au bd br by cn co cy eg gr hk ie il in it jm kw lb lk mt my ng np ph pk pl pt qa ro rs ru sa sg tr tw ua uk vn za",
  go: "id jp ke kr th tz ug",
  gv: "at",
  ltd: "uk",
  me: "uk",
  mil: "ar br cn co id in kr my ng pe ph pl ru tr tw za",
  ne: "jp kr tz ug",
  net: "ar au bd br cn co ec eg gr hk il in kw lb mt mx my ng np nz pe ph pk pl pt qa ru sa sg tr tw ua uk uy ve vn za",
  nom: "br co es fr",
  or: "at jp ke kr th tz ug",
  org:
    "ar au bd br cn co cy ec eg es gr hk il in kw lb mt mx my ng np nz pe ph pk pl pt qa ro rs ru sa sg tr tw ua uk uy ve vn za",
  plc: "uk",
  sch: "id uk za",
  tm: "fr hu pl ro",
};

/** Whether `name` (lower case, no trailing dot) is itself a public suffix: one label, or in the built-in list of two. */
export function isPublicSuffix(name: string): boolean {
  const labels = name.split(".");
  if (labels.length === 1) return true;
  if (labels.length !== 2) return false;
  const [second, top] = labels as [string, string];
  return Object.hasOwn(TWO_LABELS, second) && TWO_LABELS[second]!.split(" ").includes(top);
}
