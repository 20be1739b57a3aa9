using System.Runtime.CompilerServices;
using System.Text;

namespace R1Serverless.Storage.Files;

/// <summary>Text files that people wrote: UTF-8, or UTF-16 with its mark. Bytes that are none of it are refused, not replaced: a file in another
/// encoding would be read as other words.</summary>
public static class TextFile
{
    private const int MarkBytes = 2;

    /// <summary>Throws <see cref="DecoderFallbackException"/> where it meets such bytes, which <see cref="Refusal"/> puts into words.</summary>
    public static StreamReader Open(string path) => new(path, EncodingOf(path), detectEncodingFromByteOrderMarks: false);

    /// <summary>What to say of a file that could not be read so: the first line that is not of its encoding, from 1.</summary>
    public static string Refusal(string path)
    {
        var encoding = EncodingOf(path);
        var decoder = encoding.GetDecoder();
        var line = 1;
        Span<byte> one = stackalloc byte[1];
        Span<char> chars = stackalloc char[4];
        using BufferedStream bytes = new(File.OpenRead(path));
        try
        {
            while (bytes.Read(one) > 0) line += chars[..decoder.GetChars(one, chars, flush: false)].Count('\n');
            decoder.GetChars([], chars, flush: true);
        }
        catch (DecoderFallbackException)
        {
            // The line that was sought.
        }

        return $"line {line} is not valid {(encoding is UnicodeEncoding ? "UTF-16" : "UTF-8")}: save the file as UTF-8.";
    }

    /// <summary>The lines with their numbers from 1, blank ones too.</summary>
    /// <exception cref="InvalidDataException">A line is not of the file's encoding; the message names the file and the line.</exception>
    public static async IAsyncEnumerable<(int Number, string Text)> LinesAsync(
        string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = Open(path);
        for (var number = 1; await NextAsync() is { } line; number++) yield return (number, line);

        async ValueTask<string?> NextAsync()
        {
            try
            {
                return await reader.ReadLineAsync(cancellationToken);
            }
            catch (DecoderFallbackException fault)
            {
                throw new InvalidDataException($"{path}, {Refusal(path)}", fault);
            }
        }
    }

    private static Encoding EncodingOf(string path)
    {
        Span<byte> mark = stackalloc byte[MarkBytes];
        using var file = File.OpenRead(path);
        var read = file.ReadAtLeast(mark, MarkBytes, throwOnEndOfStream: false);
        return mark[..read] switch
        {
            [0xFF, 0xFE] => new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true),
            [0xFE, 0xFF] => new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true),
            _ => new UTF8Encoding(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true),
        };
    }
}
