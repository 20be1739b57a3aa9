using CsCheck;
using R1Serverless.Engine.Text;

namespace R1Serverless.Tests.Engine;

public sealed class StopMatcherTests
{
    private static readonly Gen<string> Word = Gen.Char["ab"].Array[1, 5].Select(c => new string(c));

    [Fact]
    public void Finds_what_a_search_of_the_whole_finds_and_holds_no_more_than_it_must() =>
        Gen.Select(Gen.Char["abc"].Array[0, 30].Select(c => new string(c)), Word.Array[0, 4], Gen.Int[1, 4]).Sample((text, stops, step) =>
        {
            var matcher = new StopMatcher(stops);
            for (var at = 0; at < text.Length; at += step)
            {
                var piece = text.Substring(at, Math.Min(step, text.Length - at));
                var read = text[..(at + piece.Length)];
                var end = Enumerable.Range(1, read.Length).FirstOrDefault(e => stops.Any(s => read[..e].EndsWith(s, StringComparison.Ordinal)));
                var match = matcher.Scan(piece);
                if (end == 0)
                {
                    Assert.Null(match);
                    Assert.Equal(LongestBeginning(read, stops), matcher.Held);
                    continue;
                }

                var longest = stops.Where(s => read[..end].EndsWith(s, StringComparison.Ordinal)).Max(s => s.Length);
                Assert.Equal(new StopMatch(end - at, longest), match);
                return;
            }
        });

    [Fact]
    public void An_empty_stop_text_is_refused() => Assert.Throws<ArgumentException>(() => new StopMatcher([""]));

    private static int LongestBeginning(string text, string[] stops) =>
        stops.SelectMany(s => Enumerable.Range(1, s.Length - 1).Where(n => text.EndsWith(s[..n], StringComparison.Ordinal))).DefaultIfEmpty(0).Max();
}
