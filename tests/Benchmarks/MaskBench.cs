using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using R1Serverless.Constraints;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// Runs a folder of schemas with valid and invalid instances: how many compile, which instances are wrongly refused or accepted, and what
/// compilation and masks take. Instances are written with spaces after commas and colons, and cut into the longest tokens from the left.
/// </summary>
internal static class MaskBench
{
    private static readonly JsonSerializerOptions Unescaped = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static bool Run(string folder, string tokenizer, TextWriter output, bool isVerbose)
    {
        var trie = MaskVocabulary.Read(Path.Combine(tokenizer, "tokenizer.json"));
        var (passed, refused, wrongRefused, wrongAccepted, crashed, slow, stopped) = (0, 0, 0, 0, 0, 0, 0);
        var compiles = new List<double>();
        var masks = new List<double>();
        var reasons = new Dictionary<string, int>(StringComparer.Ordinal);
        var files = Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        foreach (var file in files)
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { MaxDepth = 1000 });
            var name = Path.GetFileNameWithoutExtension(file);
            CompiledGrammar grammar;
            var started = Stopwatch.GetTimestamp();
            try
            {
                grammar = Constraint.Compile(new ConstraintSpec.JsonSchema(document.RootElement.GetProperty("schema")), trie);
            }
            catch (ConstraintException e)
            {
                slow += Stopwatch.GetElapsedTime(started).TotalSeconds > 1 ? 1 : 0;
                refused++;
                reasons[e.Keyword] = reasons.GetValueOrDefault(e.Keyword) + 1;
                if (isVerbose)
                    output.WriteLine($"refused {name}: {e.Message}");
                continue;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                crashed++;
                output.WriteLine($"crashed {name}: {e}");
                continue;
            }
            compiles.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            slow += compiles[^1] > 1000 ? 1 : 0;
            var isRight = true;
            foreach (var test in document.RootElement.GetProperty("tests").EnumerateArray())
            {
                var text = Spaced(test.GetProperty("data"));
                var isValid = test.GetProperty("valid").GetBoolean();
                bool isAccepted;
                try
                {
                    isAccepted = Walk(grammar, trie, Encoding.UTF8.GetBytes(text), masks);
                }
                catch (ConstraintException e)
                {
                    // Neither accepted nor refused: the sequence fails with this error.
                    output.WriteLine($"stopped {name}: {e.Message}");
                    (isRight, stopped) = (false, stopped + 1);
                    continue;
                }
                if (isAccepted == isValid)
                    continue;
                isRight = false;
                if (isVerbose)
                    output.WriteLine($"{(isValid ? "VALID REFUSED" : "INVALID ACCEPTED")} {name}: {(text.Length > 600 ? text[..600] : text)}");
                _ = isValid ? wrongRefused++ : wrongAccepted++;
            }
            passed += isRight ? 1 : 0;
            if (isVerbose && Stopwatch.GetElapsedTime(started).TotalMilliseconds > 500)
                output.WriteLine($"slow {name}: {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms, compiled in {compiles[^1]:0.0} ms");
        }
        foreach (var (reason, count) in reasons.OrderByDescending(one => one.Value))
            output.WriteLine($"refused for {reason}: {count}");
        output.WriteLine($"schemas {files.Count}: passed {passed} ({100.0 * passed / Math.Max(1, files.Count):0.0} %), refused {refused}, "
            + $"valid refused {wrongRefused}, invalid accepted {wrongAccepted}, crashed {crashed}, stopped {stopped}, over 1 s {slow}");
        output.WriteLine($"compile ms: {Quantiles(compiles)}");
        output.WriteLine($"mask µs ({masks.Count}): {Quantiles(masks)}");
        return wrongAccepted == 0 && crashed == 0 && slow == 0;
    }

    private static bool Walk(CompiledGrammar grammar, TokenTrie trie, byte[] text, List<double> masks)
    {
        var matcher = grammar.Match();
        for (var at = 0; at < text.Length;)
        {
            var token = MaskVocabulary.Longest(trie, text.AsSpan(at));
            var started = Stopwatch.GetTimestamp();
            var mask = matcher.Mask();
            masks.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            var isAllowed = (mask[token >> 5] >> token & 1) != 0;
            if (isAllowed != matcher.Accept(token))
                throw new InvalidOperationException($"Mask and automaton differ at {at} of {Encoding.UTF8.GetString(text)}.");
            if (!isAllowed)
                return false;
            at += trie.Bytes(token).Length;
        }
        return matcher.IsComplete;
    }

    private static string Spaced(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => $"{{{string.Join(", ", value.EnumerateObject().Select(one => $"{Quoted(one.Name)}: {Spaced(one.Value)}"))}}}",
        JsonValueKind.Array => $"[{string.Join(", ", value.EnumerateArray().Select(Spaced))}]",
        JsonValueKind.String => Quoted(value.GetString()!),
        _ => value.GetRawText(),
    };

    private static string Quoted(string text)
    {
        var result = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value is < 32 or '"' or '\\')
                result.Append(JsonSerializer.Serialize(rune.ToString(), Unescaped)[1..^1].Replace("\\u000B", "\\u000b", StringComparison.Ordinal));
            else
                result.Append(rune.ToString());
        }
        return result.Append('"').ToString();
    }

    private static string Quantiles(List<double> values)
    {
        if (values.Count == 0)
            return "none";
        var average = values.Average();
        values.Sort();
        return $"average {average:0.00}, p50 {values[values.Count / 2]:0.00}, p99 {values[(int)(values.Count * 0.99)]:0.00}, most {values[^1]:0.00}";
    }
}
