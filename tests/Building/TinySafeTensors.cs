using System.Runtime.InteropServices;
using System.Text;

namespace R1Serverless.Tests.Building;

/// <summary>Writes safetensors files of a few float32 tensors.</summary>
internal static class TinySafeTensors
{
    public static void Write(string path, params (string Name, float[] Values, long[] Shape)[] tensors)
    {
        var end = 0;
        var entries = tensors.Select(t => $"\"{t.Name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', t.Shape)}],\"data_offsets\":[{end},{end += 4 * t.Values.Length}]}}").ToList();
        var header = Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}");
        using var stream = File.Create(path);
        stream.Write(BitConverter.GetBytes((long)header.Length));
        stream.Write(header);
        foreach (var (_, values, _) in tensors) stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }
}
