using System.Text;
using System.Text.Unicode;

namespace R1Serverless.Queues;

/// <summary>Jobs in queues of text: plain JSON, or that in Base64, as producers like it.</summary>
public static class JobText
{
    /// <summary>The job in a message's text; the text itself where it is neither, for whoever reads jobs to say what is wrong.</summary>
    public static ReadOnlyMemory<byte> Read(string text)
    {
        if (text.AsSpan().TrimStart().StartsWith("{")) return Encoding.UTF8.GetBytes(text);
        var body = new byte[text.Length];
        // A word may look like Base64 by chance.
        var isBase64 = Convert.TryFromBase64String(text, body, out var length) && Utf8.IsValid(body.AsSpan(0, length));
        return isBase64 ? body.AsMemory(0, length) : Encoding.UTF8.GetBytes(text);
    }
}
