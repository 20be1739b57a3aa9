using System.Runtime.InteropServices;
using System.Text;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>Writes safetensors files of a few tensors.</summary>
internal static class TinySafeTensors
{
    /// <summary>Float32 tensors.</summary>
    public static void Write(string path, params IEnumerable<(string Name, float[] Values, long[] Shape)> tensors) =>
        Write(path, tensors.Select(t => (t.Name, "F32", MemoryMarshal.AsBytes(t.Values.AsSpan()).ToArray(), t.Shape)));

    /// <summary>Tensors of any type, as the bytes that they are.</summary>
    public static void Write(string path, IEnumerable<(string Name, string Type, byte[] Bytes, long[] Shape)> tensors)
    {
        var all = tensors.ToList();
        var end = 0;
        var entries = all.Select(
            t => $"\"{t.Name}\":{{\"dtype\":\"{t.Type}\",\"shape\":[{string.Join(',', t.Shape)}],\"data_offsets\":[{end},{end += t.Bytes.Length}]}}");
        var header = Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}");
        using var stream = File.Create(path);
        stream.Write(BitConverter.GetBytes((long)header.Length));
        stream.Write(header);
        foreach (var (_, _, bytes, _) in all) stream.Write(bytes);
    }
}
