using System.Diagnostics;
using Google.Protobuf;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>A Unigram model that SentencePiece itself has trained, with one of its own character maps.</summary>
/// <param name="Pieces">That text becomes.</param>
/// <param name="CharacterMap">In Base64.</param>
internal sealed record TrainedUnigram(IReadOnlyList<(string Text, double Score)> Pieces, string CharacterMap)
{
    private const string Missing = "SentencePiece is not installed: tests/run takes it from Debian's package, where apt is.";

    /// <summary>Unknown, begin and end, which come first.</summary>
    private const int ControlPieces = 3;

    private static readonly Dictionary<string, TrainedUnigram> Known = new(StringComparer.Ordinal);
    private static readonly Lock Training = new();

    /// <summary>Where tests/run unpacks it.</summary>
    private static string Installed => RepositoryFiles.Path("tests", "sentencepiece");

    /// <summary>Once per run. Skips the test where SentencePiece is not installed.</summary>
    /// <param name="rule">The map: nmt_nfkc, nfkc, nmt_nfkc_cf or nfkc_cf.</param>
    public static TrainedUnigram By(string rule)
    {
        var program = Path.Combine(Installed, "usr", "bin", "spm_train");
        Assert.SkipUnless(File.Exists(program), Missing);
        lock (Training) return Known.TryGetValue(rule, out var known) ? known : Known[rule] = Train(program, rule);
    }

    private static TrainedUnigram Train(string program, string rule)
    {
        var folder = Directory.CreateTempSubdirectory("r1-unigram-").FullName;
        try
        {
            var (corpus, model) = (Path.Combine(folder, "corpus.txt"), Path.Combine(folder, "trained"));
            File.WriteAllLines(corpus, TokenizerStrings.All.Select(text => text.ReplaceLineEndings(" ")).Where(text => text.Length is > 0 and < 500));
            ProcessStartInfo start = new(program,
            [
                $"--input={corpus}", $"--model_prefix={model}", $"--normalization_rule_name={rule}", "--vocab_size=4000", "--hard_vocab_limit=false",
                "--num_threads=1", "--minloglevel=2",
            ])
            { UseShellExecute = false, RedirectStandardError = true };
            var library = Directory.EnumerateFiles(Installed, "libsentencepiece.so.*", SearchOption.AllDirectories).First();
            start.Environment["LD_LIBRARY_PATH"] = Path.GetDirectoryName(library);
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
            return Read(File.ReadAllBytes(model + ".model"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What is needed of sentencepiece_model.proto: pieces with scores, and the character map of the normalizer.</summary>
    private static TrainedUnigram Read(byte[] model)
    {
        List<(string, double)> pieces = [];
        var map = string.Empty;
        CodedInputStream fields = new(model);
        for (var tag = fields.ReadTag(); tag != 0; tag = fields.ReadTag())
        {
            var field = WireFormat.GetTagFieldNumber(tag);
            if (field is not (1 or 3))
            {
                fields.SkipLastField();
                continue;
            }

            var (text, score) = (string.Empty, 0f);
            var parts = fields.ReadBytes().CreateCodedInput();
            for (var part = parts.ReadTag(); part != 0; part = parts.ReadTag())
            {
                switch (field, WireFormat.GetTagFieldNumber(part))
                {
                    case (1, 1):
                        text = parts.ReadString();
                        break;
                    case (1, 2):
                        score = parts.ReadFloat();
                        break;
                    case (3, 2):
                        map = Convert.ToBase64String(parts.ReadBytes().Span);
                        break;
                    default:
                        parts.SkipLastField();
                        break;
                }
            }

            if (field == 1) pieces.Add((text, score));
        }

        return new TrainedUnigram(pieces[ControlPieces..], map);
    }
}
